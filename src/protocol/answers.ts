/** What the API answers, as schemas: for its documents and for tests. The domain's types say the same, and the compiler compares. */
import { z } from 'zod';
import { ERROR_KINDS, type ErrorKind } from '../domain/errors.ts';
import { EVENT_KINDS, type Event, type EventKind } from '../domain/event.ts';
import { HARD_RULES, type PlacementExplanation, REASONS, SOFT_RULES } from '../domain/placement.ts';
import {
  CLIENT_TLS,
  CLUSTER_VIEWS,
  type DatabaseSpec,
  DURABILITIES,
  EVICTION_POLICIES,
  PACES,
  PERSISTENCE_MODES,
  READ_POLICIES,
} from '../domain/spec.ts';
import type { Condition, DatabaseStatus } from '../domain/status.ts';
import { MACHINE_STATES } from '../domain/view.ts';
import type {
  AuthoritiesDocument,
  CreatedToken,
  DatabaseList,
  EventList,
  FailoverList,
  FleetConditionList,
  FleetStatus,
  LogDocument,
  MachineList,
  MachineStatus,
  PasswordDocument,
  PlanDocument,
  RestartedEndpoints,
  SpecValue,
  SwitchoverDocument,
  TakeoverDocument,
  TokenList,
  TokenStatus,
} from './api.ts';
import { BACKUP_ANSWERS, OF_A_DATABASE } from './backup-answers.ts';
import { failoverSchema } from './failover-schema.ts';
import { estimateSchema, reshardSchema } from './reshard-schema.ts';
import { SPEC_FIELDS } from './spec-fields.ts';

const count = z.int().min(0);
const time = z.iso.datetime();
const keysOf = <K extends string>(catalogue: Record<K, unknown>): K[] => Object.keys(catalogue) as K[];

const user = z.strictObject({ name: z.string(), rules: z.string() });

const spec = z.strictObject({
  shards: count,
  replicas: count,
  memoryBytes: count,
  persistence: z.enum(PERSISTENCE_MODES),
  durability: z.enum(DURABILITIES),
  acknowledgements: count,
  eviction: z.enum(EVICTION_POLICIES),
  auth: z.boolean(),
  port: count,
  read: z.enum(READ_POLICIES),
  clusterView: z.enum(CLUSTER_VIEWS),
  tls: z.enum(CLIENT_TLS),
  users: z.array(user).readonly(),
  replaceAfterSeconds: count,
  pace: z.enum(PACES),
});

export const severitySchema = z.enum(['info', 'warning', 'error']);

const condition = z.strictObject({
  code: z.string(),
  severity: severitySchema,
  message: z.string(),
  advice: z.string(),
  lastTry: z.string().exactOptional(),
  shard: z.string().exactOptional(),
  node: z.string().exactOptional(),
  machine: z.string().exactOptional(),
  since: time,
});

const node = z.strictObject({
  nodeId: z.string(),
  host: z.string(),
  port: count,
  pid: count.nullable(),
  machine: z.string(),
  state: z.enum(['running', 'down', 'unknown']),
});

const shard = z.strictObject({
  id: z.string(),
  slots: z.array(z.tuple([count, count]).readonly()),
  primary: node.nullable(),
  replicas: z.array(node.extend({ lagBytes: count.nullable(), inSync: z.boolean() })),
});

const state = z.enum(['creating', 'ready', 'degraded', 'updating', 'deleting']);

const endpoint = z.strictObject({ host: z.string(), port: count, url: z.string() });

const databaseStatus = z.strictObject({
  name: z.string(),
  state,
  spec,
  generation: count,
  observedGeneration: count,
  conditions: z.array(condition),
  endpoint: endpoint.nullable(),
  endpoints: z.array(endpoint.extend({ machine: z.string(), serves: z.boolean() })),
  reshard: reshardSchema.nullable(),
  ...OF_A_DATABASE,
  clusterEndpoints: z.array(z.strictObject({ host: z.string(), port: count })),
  shards: z.array(shard),
});

const event = z.strictObject({
  seq: count,
  at: time,
  kind: z.enum(keysOf<EventKind>(EVENT_KINDS)),
  severity: severitySchema,
  database: z.string().exactOptional(),
  shard: z.string().exactOptional(),
  node: z.string().exactOptional(),
  machine: z.string().exactOptional(),
  message: z.string(),
  details: z.record(z.string(), z.json()).exactOptional(),
});

const machineStatus = z.strictObject({
  name: z.string(),
  address: z.string(),
  zone: z.string(),
  tls: z.boolean(),
  state: z.enum(MACHINE_STATES),
  connected: z.boolean(),
  since: time,
  memoryBytes: count,
  reservedBytes: count,
  disk: z.strictObject({ freeBytes: count, totalBytes: count }).exactOptional(),
  labels: z.record(z.string(), z.string()).readonly(),
  nodes: count,
  endpoint: z
    .strictObject({
      pid: count.nullable(),
      problem: z.string().nullable(),
      metrics: z.string().nullable(),
      serves: z.array(z.string()),
    })
    .nullable(),
  certificate: z.strictObject({ serial: z.string(), expiresAt: time, problem: z.string().nullable() }).nullable(),
});

const tokenStatus = z.strictObject({
  id: z.string(),
  state: z.enum(['fresh', 'used', 'expired']),
  createdAt: time,
  expiresAt: time,
  machine: z.string().nullable(),
  labels: z.record(z.string(), z.string()).readonly(),
});

const specValue = z.union([z.boolean(), z.number(), z.string(), z.array(user)]) as z.ZodType<SpecValue>;

const plan = z.strictObject({
  database: z.string(),
  generation: count,
  changes: z.array(
    z.strictObject({
      field: z.enum(keysOf<keyof DatabaseSpec>(SPEC_FIELDS)),
      from: specValue.nullable(),
      to: specValue,
    }),
  ),
  steps: z.array(
    z.strictObject({
      stage: count,
      kind: z.string(),
      target: z.string(),
      because: z.string(),
      sentence: z.string(),
    }),
  ),
  blocked: z.array(z.strictObject({ because: z.string(), reason: z.string() })),
  reshard: estimateSchema.nullable(),
});

const share = z.number().min(0).max(1);

const rebalance = z.strictObject({
  database: z.string(),
  by: z.enum(['cpu', 'memory']),
  seconds: count,
  tolerance: share,
  shards: z.array(z.strictObject({ shard: z.string(), before: share, after: share })),
  imbalance: z.strictObject({ before: z.number().min(0), after: z.number().min(0) }),
  tooHot: z.array(z.strictObject({ slot: count, shard: z.string(), share })),
  estimate: estimateSchema.nullable(),
  begun: z.boolean(),
});

const load = {
  shard: z.string(),
  keys: count,
  share,
  cpuPercent: z.number().min(0),
  bytesPerSecond: z.number().min(0),
};

const hotspots = z.strictObject({
  database: z.string(),
  seconds: count,
  shards: z.array(z.strictObject({ ...load, slots: count })),
  slots: z.array(
    z.strictObject({
      ...{ ...load, slot: count, tooHot: z.boolean() },
      hottestKeys: z.array(z.strictObject({ key: z.string(), share })),
    }),
  ),
});

const breach = z.discriminatedUnion('rule', [
  z.strictObject({ rule: z.literal('apart'), shard: z.string(), machine: z.string(), copies: count }),
  z.strictObject({ rule: z.literal('zones'), shard: z.string(), zone: z.string(), copies: count }),
  z.strictObject({ rule: z.literal('majority'), machine: z.string(), primaries: count }),
  z.strictObject({ rule: z.literal('memory'), machine: z.string(), overBytes: count }),
]);

const oneChange = { shard: z.string(), from: z.string(), to: z.string() };
const remedy = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('switch_over'), ...oneChange }),
  z.strictObject({ kind: z.literal('move'), ...oneChange }),
  z.strictObject({ kind: z.literal('rearrange') }),
  z.strictObject({
    kind: z.literal('add'),
    add: z.strictObject({
      machines: count,
      bytes: count,
      zone: z.enum(['any', 'another', 'new']),
      notIn: z.array(z.string()),
    }),
    back: z.array(z.string()),
  }),
]);

const machineGroup = z.strictObject({ because: z.enum(REASONS), machines: count, examples: z.array(z.string()) });

const explanation = z.strictObject({
  database: z.string(),
  generation: count,
  shards: count,
  replicas: count,
  reserve: z.strictObject({ dataBytes: count, spareBytes: count, processBytes: count, totalBytes: count }),
  rules: z.array(
    z.strictObject({
      rule: z.enum([...HARD_RULES, ...SOFT_RULES]),
      hard: z.boolean(),
      holds: z.boolean(),
      avoidable: z.boolean(),
      breaches: z.array(breach),
      obstacles: z.array(machineGroup),
      remedy: remedy.nullable(),
      figures: z.strictObject({ least: count, most: count, mostAnew: count.nullable() }).nullable(),
      sentences: z.array(z.string()),
    }),
  ),
  nodes: z.array(
    z.strictObject({
      node: z.string(),
      shard: z.string(),
      role: z.enum(['primary', 'replica']),
      machine: z.string(),
      zone: z.string().nullable(),
      others: z.array(z.strictObject({ machine: z.string(), zone: z.string().nullable() })),
      nodesHere: count,
      primariesHere: count,
      memoryBytes: count,
      reservedBytes: count,
      elsewhere: z.array(machineGroup),
      sentences: z.array(z.string()),
    }),
  ),
});

const fleetStatus = z.strictObject({
  version: z.string(),
  pid: count,
  startedAt: time,
  dataDir: z.string(),
  engineVersion: z.string(),
  stopping: z.boolean(),
  machines: z.array(machineStatus),
  databases: z.array(z.strictObject({ name: z.string(), state })),
  looks: z.strictObject({ count, totalMs: z.number().min(0) }),
  servers: z.strictObject({
    store: z.enum(['embedded', 'etcd']),
    storeProblem: z.string().nullable(),
    term: count.nullable(),
    leader: z.string().nullable(),
    all: z.array(z.strictObject({ url: z.string(), version: z.string() })),
  }),
});

const problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  kind: z.enum(keysOf<ErrorKind>(ERROR_KINDS)),
  message: z.string(),
  hint: z.string(),
});

/** By the names they have in the OpenAPI document. */
export const ANSWERS = {
  FleetStatus: fleetStatus,
  DatabaseStatus: databaseStatus,
  DatabaseList: z.strictObject({ databases: z.array(databaseStatus) }),
  Condition: condition,
  ConditionList: z.strictObject({ conditions: z.array(condition.extend({ database: z.string() })) }),
  Authorities: z.strictObject({ pem: z.string() }),
  Password: z.strictObject({ user: z.string(), password: z.string().nullable() }),
  Plan: plan,
  ...BACKUP_ANSWERS,
  Rebalance: rebalance,
  Hotspots: hotspots,
  PlacementExplanation: explanation,
  Machine: machineStatus,
  CreatedToken: z.strictObject({ id: z.string(), token: z.string(), command: z.string(), expiresAt: time }),
  Token: tokenStatus,
  TokenList: z.strictObject({ tokens: z.array(tokenStatus) }),
  Takeover: z.strictObject({
    ...{ shard: z.string(), from: z.string(), to: z.string() },
    mode: z.enum(['force', 'takeover']),
  }),
  Switchover: z.strictObject({ shard: z.string(), from: z.string(), to: z.string() }),
  RestartedEndpoints: z.strictObject({ machines: z.array(z.string()) }),
  MachineList: z.strictObject({ machines: z.array(machineStatus) }),
  Event: event,
  EventList: z.strictObject({ events: z.array(event) }),
  FailoverList: z.strictObject({ failovers: z.array(failoverSchema) }),
  Log: z.strictObject({ source: z.string(), text: z.string() }),
  Stopped: z.strictObject({ stopped: z.literal(true) }),
  OpenApi: z.looseObject({ openapi: z.string() }),
  Problem: problem,
};

/** True for types that stand for each other; anything else does not compile below. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Answer<K extends keyof typeof ANSWERS> = z.infer<(typeof ANSWERS)[K]>;

/** The compiler's comparison of the schemas with the types the code is written with. */
type _SchemasSayWhatTypesSay = AllTrue<
  [
    Same<Answer<'FleetStatus'>, FleetStatus>,
    Same<Answer<'DatabaseStatus'>, DatabaseStatus>,
    Same<Answer<'DatabaseList'>, DatabaseList>,
    Same<Answer<'Condition'>, Condition>,
    Same<Answer<'ConditionList'>, FleetConditionList>,
    Same<Answer<'Authorities'>, AuthoritiesDocument>,
    Same<Answer<'Password'>, PasswordDocument>,
    Same<Answer<'Plan'>, PlanDocument>,
    Same<Answer<'PlacementExplanation'>, PlacementExplanation>,
    Same<Answer<'Machine'>, MachineStatus>,
    Same<Answer<'MachineList'>, MachineList>,
    Same<Answer<'CreatedToken'>, CreatedToken>,
    Same<Answer<'Token'>, TokenStatus>,
    Same<Answer<'TokenList'>, TokenList>,
    Same<Answer<'Event'>, Event>,
    Same<Answer<'Switchover'>, SwitchoverDocument>,
    Same<Answer<'Takeover'>, TakeoverDocument>,
    Same<Answer<'RestartedEndpoints'>, RestartedEndpoints>,
    Same<Answer<'EventList'>, EventList>,
    Same<Answer<'FailoverList'>, FailoverList>,
    Same<Answer<'Log'>, LogDocument>,
  ]
>;
type AllTrue<T extends true[]> = T;
