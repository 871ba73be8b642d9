/**
 * Every route of the API, once: the server serves exactly these, the OpenAPI document tells exactly these, and the
 * client is typed by them. A key is the method and the path after `/v1`.
 */
import { z } from 'zod';
import type { ErrorCode } from '../domain/errors.ts';
import { type ANSWERS, severitySchema } from './answers.ts';
import {
  createDatabaseSchema,
  createTokenSchema,
  eventsQuerySchema,
  hotspotsQuerySchema,
  labelsSchema,
  logsQuerySchema,
  planRequestSchema,
  rebalanceWishSchema,
  removalSchema,
  reshardActionSchema,
  restartEndpointsSchema,
  shutdownSchema,
  specInputSchema,
  switchoverSchema,
  takeoverSchema,
} from './api.ts';
import { ARCHIVE_ROUTES } from './archive-routes.ts';
import { ADMISSION, BACKUP_ROUTES } from './backup-routes.ts';

export interface Route {
  summary: string;
  params?: z.ZodObject;
  /** Without it the route takes no query. */
  query?: z.ZodObject;
  /** Without it the route reads no body. */
  body?: z.ZodType;
  /** A change of a spec: made only if `If-Match`, when it is sent, names the present generation. */
  ifMatch?: true;
  /** The answer carries the generation of the spec as its ETag. */
  etag?: true;
  /** Server-sent events that go on until somebody leaves; each one's data is an `answer`. */
  stream?: true;
  /** Bytes that go on until their end; cut off, the answer is not whole. Its headers are RDB_HEADERS, and an `answer` is all of it. */
  bytes?: true;
  status: number;
  answer: keyof typeof ANSWERS;
  /** What it may refuse beyond what every route does: a wrong token, wrong input, a defect. */
  errors: readonly ErrorCode[];
}

const byName = z.strictObject({ name: z.string() });
const RESHARD = ['reshard_running', 'reshard_refused', 'data_does_not_fit', 'no_room_for_copies'] as const;
const CHANGE = [
  'generation_changed',
  'being_deleted',
  'not_changeable',
  'memory_in_use',
  'no_room_to_grow',
  ...RESHARD,
  'endpoint_port_taken',
  'bad_rules',
  'client_tls_unavailable',
] as const;

export const ROUTES = {
  'GET /openapi.json': { summary: 'This document', status: 200, answer: 'OpenApi', errors: [] },
  'GET /status': {
    summary: 'The control plane and the fleet in short',
    status: 200,
    answer: 'FleetStatus',
    errors: [],
  },
  'GET /databases': { summary: 'All databases', status: 200, answer: 'DatabaseList', errors: [] },
  'POST /databases': {
    summary: 'Ask for a database; it comes into being afterwards',
    body: createDatabaseSchema,
    status: 201,
    answer: 'DatabaseStatus',
    etag: true,
    errors: ['database_exists', 'stopping', ...ADMISSION],
  },
  'GET /databases/{name}': {
    summary: 'One database with its shards, nodes and conditions',
    params: byName,
    status: 200,
    answer: 'DatabaseStatus',
    etag: true,
    errors: ['database_not_found'],
  },
  'DELETE /databases/{name}': {
    summary: 'Delete a database with all its data; it goes afterwards',
    params: byName,
    ifMatch: true,
    status: 202,
    answer: 'DatabaseStatus',
    errors: ['database_not_found', 'generation_changed', 'stopping'],
  },
  'PATCH /databases/{name}/spec': {
    summary: 'Change the spec; what is left out stays, and every node has the change afterwards',
    params: byName,
    body: specInputSchema,
    ifMatch: true,
    status: 202,
    answer: 'DatabaseStatus',
    etag: true,
    errors: ['database_not_found', 'stopping', ...CHANGE],
  },
  'PUT /databases/{name}/spec': {
    summary:
      'The whole spec: a database is created or changed to it, and what is left out takes its default. Before it exists its ETag is "0"',
    params: byName,
    body: specInputSchema,
    ifMatch: true,
    status: 202,
    answer: 'DatabaseStatus',
    etag: true,
    errors: ['stopping', ...CHANGE, ...ADMISSION],
  },
  'POST /databases/{name}/reshard': {
    summary: 'Pause, resume or give up the change of the number of shards that is under way',
    params: byName,
    body: reshardActionSchema,
    status: 202,
    answer: 'DatabaseStatus',
    errors: ['database_not_found', 'being_deleted', 'no_reshard', 'reshard_refused', 'stopping'],
  },
  'POST /databases/{name}/rebalance': {
    summary: 'Give every shard its share of the load or of the memory, by moving slots; they move afterwards',
    params: byName,
    body: rebalanceWishSchema.prefault({}),
    status: 202,
    answer: 'Rebalance',
    errors: [
      'database_not_found',
      'being_deleted',
      'reshard_running',
      'reshard_refused',
      'no_load',
      'data_does_not_fit',
      'stopping',
    ],
  },
  'GET /databases/{name}/hotspots': {
    summary: 'Which shards, slots and keys carry the load, as measured now; the hottest first',
    params: byName,
    query: hotspotsQuerySchema,
    status: 200,
    answer: 'Hotspots',
    errors: ['database_not_found', 'reshard_refused'],
  },
  ...BACKUP_ROUTES,
  ...ARCHIVE_ROUTES,
  'GET /databases/{name}/explain': {
    summary: 'Why each node is where it is, which rules of placement hold, and what would help where one does not',
    params: byName,
    status: 200,
    answer: 'PlacementExplanation',
    errors: ['database_not_found'],
  },
  'GET /databases/{name}/failovers': {
    summary: 'Which primaries were lost and replaced by agents, how each went and what it cost; the latest first',
    params: byName,
    status: 200,
    answer: 'FailoverList',
    errors: ['database_not_found'],
  },
  'POST /databases/{name}/shards/{shard}/switchover': {
    summary: 'Let a replica and its living primary change places, losing nothing; it happens afterwards',
    params: z.strictObject({ name: z.string(), shard: z.string() }),
    body: switchoverSchema.prefault({}),
    status: 202,
    answer: 'Switchover',
    errors: [
      'database_not_found',
      'shard_not_found',
      'copy_not_found',
      'being_deleted',
      'switchover_refused',
      'stopping',
    ],
  },
  'POST /databases/{name}/shards/{shard}/takeover': {
    summary:
      'Let a replica take the place of a primary that nobody hears of, because you say that its machine is off; it happens afterwards',
    params: z.strictObject({ name: z.string(), shard: z.string() }),
    body: takeoverSchema.prefault({}),
    status: 202,
    answer: 'Takeover',
    errors: [
      'database_not_found',
      'shard_not_found',
      'copy_not_found',
      'machine_not_found',
      'being_deleted',
      'takeover_refused',
      'takeover_unconfirmed',
      'stopping',
    ],
  },
  'GET /databases/{name}/password': {
    summary: 'The password for clients: of `default`, or of a user of the spec',
    params: byName,
    query: z.strictObject({ user: z.string().default('default') }),
    status: 200,
    answer: 'Password',
    errors: ['database_not_found', 'user_not_found'],
  },
  'GET /authorities': {
    summary: "The fleet's authorities, which clients with TLS must believe",
    status: 200,
    answer: 'Authorities',
    errors: ['no_authority'],
  },
  'POST /plans': {
    summary: 'What would be done, without doing it: now for a database that exists, to change it, or to create one',
    body: planRequestSchema,
    status: 200,
    answer: 'Plan',
    errors: [
      'database_not_found',
      'being_deleted',
      'not_changeable',
      'memory_in_use',
      'no_room_to_grow',
      ...RESHARD,
      ...ADMISSION,
    ],
  },
  'GET /conditions': {
    summary: 'What holds now that should not, of every database',
    query: z.strictObject({ database: z.string().optional(), severity: severitySchema.optional() }),
    status: 200,
    answer: 'ConditionList',
    errors: ['database_not_found'],
  },
  'GET /machines': { summary: 'All machines', status: 200, answer: 'MachineList', errors: [] },
  'GET /machines/{name}': {
    summary: 'One machine',
    params: byName,
    status: 200,
    answer: 'Machine',
    errors: ['machine_not_found'],
  },
  'DELETE /machines/{name}': {
    summary:
      'Take a machine out of the fleet, one without nodes, or one of which you say that it is off for good; its agent is not let in any more',
    params: byName,
    query: removalSchema,
    status: 200,
    answer: 'Machine',
    errors: ['machine_not_found', 'machine_in_use', 'machine_not_off', 'removal_unconfirmed'],
  },
  'POST /machines/{name}/drain': {
    summary: 'Empty a machine: new copies of its nodes elsewhere first, then its primaries, then they are removed',
    params: byName,
    status: 202,
    answer: 'Machine',
    errors: ['machine_not_found', 'drain_refused'],
  },
  'POST /machines/{name}/resume': {
    summary: 'Let a machine take nodes again; what has not moved away stays',
    params: byName,
    status: 200,
    answer: 'Machine',
    errors: ['machine_not_found'],
  },
  'PATCH /machines/{name}/labels': {
    summary: 'Set labels of a machine, or take them away with null; `zone` says which machines fail together',
    params: byName,
    body: labelsSchema,
    status: 200,
    answer: 'Machine',
    errors: ['machine_not_found'],
  },
  'GET /machine-tokens': {
    summary: 'The tokens with which machines join, newest first; what makes them work is not among what is stored',
    status: 200,
    answer: 'TokenList',
    errors: [],
  },
  'POST /machine-tokens': {
    summary: 'Make a token, with which one machine can join once; its text is answered this once',
    body: createTokenSchema.prefault({}),
    status: 201,
    answer: 'CreatedToken',
    errors: ['invalid_name', 'no_listener', 'too_many_join_tokens', 'authority_damaged'],
  },
  'DELETE /machine-tokens/{id}': {
    summary: 'Take a token back; a machine that has joined with it stays',
    params: z.strictObject({ id: z.string() }),
    status: 200,
    answer: 'Token',
    errors: ['join_token_not_found'],
  },
  'POST /endpoints/restart': {
    summary:
      'Replace the endpoint processes: a successor takes over the ports, and old connections end between commands',
    body: restartEndpointsSchema.prefault({}),
    status: 200,
    answer: 'RestartedEndpoints',
    errors: ['machine_not_found', 'no_endpoint', 'agent_away', 'agent_timeout', 'endpoint_not_replaced', 'stopping'],
  },
  'GET /events': {
    summary: 'What happened, oldest first: the newest events, or those that follow `after`',
    query: eventsQuerySchema,
    status: 200,
    answer: 'EventList',
    errors: [],
  },
  'GET /events/stream': {
    summary:
      'Events as they happen (server-sent): from now on, or after `after`, or after the header Last-Event-ID, which wins',
    query: eventsQuerySchema.omit({ limit: true }),
    stream: true,
    status: 200,
    answer: 'Event',
    errors: ['too_many_streams'],
  },
  'GET /logs/{source}': {
    summary: 'The last lines of a log: of `server`, a machine, or a node by the beginning of its id',
    params: z.strictObject({ source: z.string() }),
    query: logsQuerySchema,
    status: 200,
    answer: 'Log',
    errors: ['log_not_found', 'agent_away', 'agent_timeout', 'file_unusable'],
  },
  'POST /shutdown': {
    summary: 'Stop every node and agent and keep the data; answers when all have stopped',
    body: shutdownSchema.prefault({}),
    status: 200,
    answer: 'Stopped',
    errors: ['nothing_on_disk', 'agent_away', 'agent_timeout'],
  },
} as const satisfies Record<string, Route>;

export type Routes = typeof ROUTES;
export type RouteKey = keyof Routes;

type Part<K extends RouteKey, P extends string> = Routes[K] extends Record<P, infer S extends z.ZodType> ? S : never;

/** What a handler gets: everything validated. */
export interface RouteInput<K extends RouteKey> {
  params: z.output<Part<K, 'params'>>;
  query: z.output<Part<K, 'query'>>;
  body: z.output<Part<K, 'body'>>;
}

type Present<P extends string, S extends z.ZodType, Value> = [S] extends [never] ? unknown : { [key in P]: Value };

/** What a client sends; the route's own defaults stand in for what is left out. */
export type RouteCall<K extends RouteKey> = Present<'params', Part<K, 'params'>, z.output<Part<K, 'params'>>> &
  Present<'query', Part<K, 'query'>, Partial<z.output<Part<K, 'query'>>>> &
  Present<'body', Part<K, 'body'>, z.input<Part<K, 'body'>>>;

/** What the route answers. */
export type RouteAnswer<K extends RouteKey> = z.output<(typeof ANSWERS)[Routes[K]['answer']]>;
