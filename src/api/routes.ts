/** What each route of the table does with its validated input. Errors are left to the server's error handler. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ControlPlane } from '../control/control-plane.ts';
import { API_PREFIX } from '../protocol/prefix.ts';
import { ROUTES, type Route, type RouteAnswer, type RouteInput, type RouteKey } from '../protocol/routes.ts';
import { addEventStream, type StreamLimits } from './event-stream.ts';
import { parseInput } from './input-errors.ts';
import { etagOf, requireMatch } from './match.ts';
import { openApiDocument } from './openapi.ts';
import { sendRdb } from './rdb-stream.ts';

export interface RouteOptions {
  control: ControlPlane;
  /** Stops the fleet; resolves when all nodes and agents have stopped. */
  shutDown: ControlPlane['shutDown'];
  /** Called once the answer to a shutdown has been sent. */
  afterShutDown: () => void;
  /** Of the stream of events; for tests that cannot wait as long as readers may. */
  streamLimits?: Partial<StreamLimits>;
}

/** What is no document is written by its handler. */
type Written = 'GET /events/stream' | 'GET /databases/{name}/shards/{shard}/rdb';
type Answer<K extends RouteKey> = K extends Written ? FastifyReply : RouteAnswer<K>;
type Handlers = {
  [K in RouteKey]: (
    input: RouteInput<K>,
    reply: FastifyReply,
    request: FastifyRequest,
  ) => Answer<K> | Promise<Answer<K>>;
};

/** Adds every route of the table, each with its handler; one without the other does not compile. */
export function addRoutes(app: FastifyInstance, options: RouteOptions): void {
  const handlers = handlersOf(app, options);
  for (const key of Object.keys(ROUTES) as RouteKey[]) {
    const [method = '', path = ''] = key.split(' ');
    const route: Route = ROUTES[key];
    const handle = handlers[key] as Handlers['GET /status'];
    app.route({
      method,
      url: API_PREFIX + path.replace(/\{(\w+)\}/g, ':$1'),
      handler: async (request, reply) => {
        const input = readInput(route, request) as RouteInput<'GET /status'>;
        reply.code(route.status);
        return handle(input, reply, request);
      },
    });
  }
}

/** What may be done with a path, such as GET and DELETE; nothing when no route has it. */
export const methodsOf = (path: string): string[] =>
  Object.keys(ROUTES).flatMap((key) => {
    const [method = '', template = ''] = key.split(' ');
    return new RegExp(`^${API_PREFIX}${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path) ? [method] : [];
  });

const NOTHING = z.strictObject({});

const readInput = ({ params = NOTHING, query = NOTHING, body }: Route, request: FastifyRequest) => ({
  params: parseInput(params, request.params, 'path'),
  query: parseInput(query, request.query, 'query'),
  body: body && parseInput(body, request.body ?? undefined, 'body'),
});

function handlersOf(app: FastifyInstance, { control, shutDown, afterShutDown, streamLimits }: RouteOptions): Handlers {
  const streamEvents = addEventStream(app, control, streamLimits);
  return {
    'GET /openapi.json': () => openApiDocument() as RouteAnswer<'GET /openapi.json'>,
    'GET /status': () => control.status(),

    'GET /databases': () => ({ databases: control.databases() }),
    'POST /databases': async ({ body }, reply) => {
      const created = await control.createDatabase(body);
      reply.header('location', `${API_PREFIX}/databases/${created.name}`).header('etag', etagOf(created));
      return created;
    },
    'GET /databases/{name}': ({ params }, reply) => {
      const database = control.database(params.name);
      reply.header('etag', etagOf(database));
      return database;
    },
    'DELETE /databases/{name}': ({ params }, _reply, request) =>
      control.deleteDatabase(params.name, (present) => requireMatch(request, present)),
    'PATCH /databases/{name}/spec': async ({ params, body }, reply, request) => {
      const changed = await control.updateDatabase(params.name, body, (present) => requireMatch(request, present));
      reply.header('etag', etagOf(changed));
      return changed;
    },
    'PUT /databases/{name}/spec': async ({ params, body }, reply, request) => {
      const wanted = await control.putDatabase(params.name, body, (present) => requireMatch(request, present));
      reply.header('etag', etagOf(wanted));
      return wanted;
    },
    'POST /databases/{name}/reshard': ({ params, body }) => control.reshard(params.name, body),
    'POST /databases/{name}/rebalance': ({ params, body }) => control.rebalance(params.name, body),
    'GET /databases/{name}/hotspots': ({ params, query }) => control.hotspots(params.name, query),
    'POST /databases/{name}/backups': ({ params, body }) => control.backups.create(params.name, body),
    'GET /databases/{name}/shards/{shard}/rdb': ({ params }, reply) => sendRdb(control, params, reply),
    'GET /databases/{name}/backup-schedule': ({ params }) => control.backupSchedules.show(params.name),
    'PUT /databases/{name}/backup-schedule': ({ params, body }) => control.backupSchedules.set(params.name, body),
    'DELETE /databases/{name}/backup-schedule': ({ params }) => control.backupSchedules.remove(params.name),
    'PUT /databases/{name}/archive': ({ params, body }) => control.archives.set(params.name, body),
    'DELETE /databases/{name}/archive': ({ params }) => control.archives.turnOff(params.name),
    'GET /archives': () => ({ archives: control.archives.list() }),
    'GET /archives/{archive}': ({ params }) => control.archives.show(params.archive),
    'DELETE /archives/{archive}': ({ params }) => control.archives.remove(params.archive),
    'GET /backups': async ({ query }) => ({ backups: await control.backups.list(query) }),
    'GET /backups/{id}': ({ params, query }) => control.backups.show(params.id, query.place),
    'POST /backups/{id}/verify': ({ params, body }) => control.backups.verify(params.id, body.place),
    'DELETE /backups/{id}': ({ params, query }) => control.backups.remove(params.id, query.place),
    'POST /restores': ({ body }) => control.restore(body),
    'GET /databases/{name}/explain': ({ params }) => control.explain(params.name),
    'GET /databases/{name}/failovers': async ({ params }) => ({
      failovers: await control.failoversOf(params.name),
    }),
    'POST /databases/{name}/shards/{shard}/switchover': ({ params, body }) =>
      control.switchOver(params.name, params.shard, body.to),
    'POST /databases/{name}/shards/{shard}/takeover': ({ params, body }) =>
      control.takeOver(params.name, params.shard, body),
    'GET /authorities': () => control.authorities(),
    'GET /databases/{name}/password': ({ params, query }) => control.password(params.name, query.user),

    'POST /plans': ({ body }) => control.plan(body),

    'GET /conditions': ({ query }) => {
      const databases = query.database === undefined ? control.databases() : [control.database(query.database)];
      const all = databases.flatMap(({ name, conditions }) => conditions.map((one) => ({ database: name, ...one })));
      return { conditions: all.filter(({ severity }) => query.severity === undefined || severity === query.severity) };
    },
    'GET /machines': () => ({ machines: control.fleet.statuses() }),
    'GET /machines/{name}': ({ params }) => control.fleet.status(params.name),
    'DELETE /machines/{name}': ({ params, query }) => control.fleet.remove(params.name, query),
    'POST /machines/{name}/drain': ({ params }) => control.fleet.drain(params.name),
    'POST /machines/{name}/resume': ({ params }) => control.fleet.resume(params.name),
    'PATCH /machines/{name}/labels': ({ params, body }) => control.fleet.label(params.name, body),
    'GET /machine-tokens': () => control.joinTokens.list(),
    'POST /machine-tokens': ({ body }) => control.joinTokens.create(body),
    'DELETE /machine-tokens/{id}': ({ params }) => control.joinTokens.revoke(params.id),
    'POST /endpoints/restart': ({ body }) => control.restartEndpoints(body),
    'GET /events': async ({ query }) => ({ events: await control.events(query) }),
    'GET /events/stream': ({ query }, reply, request) => streamEvents(query, reply, request),
    'GET /logs/{source}': ({ params, query }) => control.log(params.source, query.lines),

    'POST /shutdown': async ({ body }, reply) => {
      await shutDown(body);
      reply.raw.once('close', afterShutDown);
      reply.header('connection', 'close');
      return { stopped: true };
    },
  };
}
