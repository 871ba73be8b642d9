/** The REST API's schemas: one source for validation, the API's documents and its clients. */
import { z } from 'zod';
import type { Event } from '../domain/event.ts';
import type { FailoverRecord } from '../domain/failover.ts';
import type { ReshardEstimate } from '../domain/reshard.ts';
import type { DatabaseSpec } from '../domain/spec.ts';
import type { Condition, DatabaseStatus } from '../domain/status.ts';
import type { MachineView } from '../domain/view.ts';
import { SPEC_FIELDS } from './spec-fields.ts';

const {
  shards,
  replicas,
  memoryBytes,
  persistence,
  durability,
  acknowledgements,
  eviction,
  auth,
  port,
  read,
  clusterView,
  tls,
  users,
  replaceAfterSeconds,
  pace,
} = SPEC_FIELDS;

const userSchema = z.strictObject({
  name: z.string().describe('1 to 64 letters, digits, dots, hyphens and underscores'),
  rules: z.string().describe("words of the engine's ACL language, such as `~app:* +@read`"),
});

/** What may be said of a database; what a left-out field means, the route says. */
export const specInputSchema = z
  .strictObject({
    shards: z.int().min(shards.min).max(shards.max).describe(shards.about),
    replicas: z.int().min(replicas.min).max(replicas.max).describe(replicas.about),
    memoryBytes: z.int().positive().describe(memoryBytes.about),
    persistence: z.enum(persistence.choices).describe(persistence.about),
    durability: z.enum(durability.choices).describe(durability.about),
    acknowledgements: z.int().min(acknowledgements.min).max(acknowledgements.max).describe(acknowledgements.about),
    eviction: z.enum(eviction.choices).describe(eviction.about),
    auth: z.boolean().describe(auth.about),
    port: z.int().min(port.min).max(port.max).describe(port.about),
    read: z.enum(read.choices).describe(read.about),
    clusterView: z.enum(clusterView.choices).describe(clusterView.about),
    tls: z.enum(tls.choices).describe(tls.about),
    users: z.array(userSchema).readonly().describe(users.about),
    replaceAfterSeconds: z
      .int()
      .min(replaceAfterSeconds.min)
      .max(replaceAfterSeconds.max)
      .describe(replaceAfterSeconds.about),
    pace: z.enum(pace.choices).describe(pace.about),
  } satisfies Record<keyof DatabaseSpec, z.ZodType>)
  .partial();
export type SpecInput = z.infer<typeof specInputSchema>;

export const createDatabaseSchema = z.strictObject({ name: z.string(), spec: specInputSchema.default({}) });
export type CreateDatabase = z.infer<typeof createDatabaseSchema>;

/** Without `spec`: what would be done now for an existing database. With it: what creating or changing it would do. */
export const planRequestSchema = z.strictObject({
  name: z.string(),
  spec: specInputSchema.optional(),
  /** What is left out of the spec takes its default, as PUT has it; else it stays, as PATCH has it. */
  whole: z.boolean().default(false).describe('What is left out of the spec takes its default, as with PUT.'),
});
export type PlanRequest = z.input<typeof planRequestSchema>;

export const eventsQuerySchema = z.strictObject({
  database: z.string().optional(),
  /** Only events after this number. */
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});

export const logsQuerySchema = z.strictObject({ lines: z.coerce.number().int().min(1).max(10_000).default(200) });

export const shutdownSchema = z.strictObject({
  /** Go on although a database keeps nothing on disk. */
  loseUnsavedData: z.boolean().default(false),
});

export type SpecValue = DatabaseSpec[keyof DatabaseSpec];

/** One step of a plan, for people and machines. */
export interface PlannedStep {
  /** Steps of one stage run side by side; the next stage begins with a new observation. */
  stage: number;
  kind: string;
  /** The node, or the database. */
  target: string;
  /** Code of the problem it mends. */
  because: string;
  /** The step and its reason in words. */
  sentence: string;
}

export interface PlanDocument {
  database: string;
  /** Generation of the spec that was looked at; 0 when there is no such database. */
  generation: number;
  /** What of the spec would be different then; of a database to be: all of it, `from` null. */
  changes: { field: keyof DatabaseSpec; from: SpecValue | null; to: SpecValue }[];
  steps: PlannedStep[];
  /** What would be done if a gate did not forbid it now. */
  blocked: { because: string; reason: string }[];
  /** What would move, and how long it would take; null where the number of shards stays. */
  reshard: ReshardEstimate | null;
}

export interface FleetStatus {
  version: string;
  pid: number;
  /** ISO time. */
  startedAt: string;
  dataDir: string;
  engineVersion: string;
  stopping: boolean;
  machines: MachineStatus[];
  databases: Pick<DatabaseStatus, 'name' | 'state'>[];
  looks: LookTimes;
  servers: ServersStatus;
}

/** The servers of a fleet, and how they are led. */
export interface ServersStatus {
  /** `embedded`: this server is the only one, and leads always. */
  store: 'embedded' | 'etcd';
  /** Why the store cannot be used now, as far as the server that answers knows; null when all is well. */
  storeProblem: string | null;
  /** Number of the term; null while nobody leads, and where the only server leads always. */
  term: number | null;
  /** URL of the API of the server that leads; null while nobody does, and where there is only one. */
  leader: string | null;
  /** The servers that run, by the URLs of their APIs; none where there is only one. */
  all: { url: string; version: string }[];
}

/** Looks at databases since the control plane's start: how many, and the sum of their times in milliseconds. */
export interface LookTimes {
  count: number;
  totalMs: number;
}

export type MachineStatus = Omit<MachineView, 'since' | 'endpoint'> & {
  /** ISO time since which `connected` has its value. */
  since: string;
  /** Names and values of an operator's choosing; `zone` says in which zone it is. */
  labels: Readonly<Record<string, string>>;
  /** Nodes on it, those to be removed among them. */
  nodes: number;
  /** Null while it is not known: its agent is away, or runs none. */
  endpoint: MachineEndpoint | null;
  /** Null: a local machine, which needs none. */
  certificate: MachineCertificateStatus | null;
};

/** The certificate of a machine that has joined. */
export interface MachineCertificateStatus {
  /** Hexadecimal digits in upper case. */
  serial: string;
  /** ISO time. */
  expiresAt: string;
  /** Why its last renewal failed; null when none did, and while its agent is away. */
  problem: string | null;
}

/** A machine's endpoint process. */
export interface MachineEndpoint {
  /** Null while none runs. */
  pid: number | null;
  /** Why it does not serve; null when all is well. */
  problem: string | null;
  /** Where its metrics are, in Prometheus' form; null while they are nowhere. */
  metrics: string | null;
  /** Names of the databases that it serves. */
  serves: string[];
}

export interface PasswordDocument {
  user: string;
  /** Null: the database is open to all who reach it. */
  password: string | null;
}

/** What a person says of a change of the number of shards while it lasts. */
export const reshardActionSchema = z.strictObject({
  action: z
    .enum(['pause', 'resume', 'cancel'])
    .describe(
      'No further job begins; it goes on, and failed jobs are tried again; the slots go back to where they were.',
    ),
});
export type ReshardAction = z.infer<typeof reshardActionSchema>;

/** What the same number of shards is to share evenly, by whom it was measured for how long, and whether it is done. */
export const rebalanceWishSchema = z.strictObject({
  by: z.enum(['cpu', 'memory']).default('cpu').describe('What every shard is to have its share of.'),
  seconds: z.int().min(1).max(10).default(5).describe('How long processor time is measured.'),
  dryRun: z.boolean().default(false).describe('Tell what would move, and move nothing.'),
});
export type RebalanceWish = z.infer<typeof rebalanceWishSchema>;

export interface RebalanceDocument {
  database: string;
  by: RebalanceWish['by'];
  /** For how long it was measured; 0 for memory. */
  seconds: number;
  /** A shard may have so much more or less than the mean, as a part of it. */
  tolerance: number;
  /** What each has of the whole, 0 to 1, as measured now and with the slots that it is to have. */
  shards: { shard: string; before: number; after: number }[];
  /** The largest share as a multiple of the mean: 1 is perfect. */
  imbalance: { before: number; after: number };
  /** Slots that alone are more than a shard's share: no spread helps, only other keys. */
  tooHot: { slot: number; shard: string; share: number }[];
  /** What moves; null when every shard is within the tolerance, or as near as it can be. */
  estimate: ReshardEstimate | null;
  /** Slots are on their way. */
  begun: boolean;
}

/** How long is measured, and how many slots are told. */
export const hotspotsQuerySchema = z.strictObject({
  seconds: z.coerce.number().int().min(1).max(10).default(5),
  slots: z.coerce.number().int().min(1).max(100).default(10),
});

export interface ShardLoad {
  shard: string;
  slots: number;
  keys: number;
  /** Of the processor time that the database's commands take, 0 to 1. */
  share: number;
  /** Of one processor, for commands alone. */
  cpuPercent: number;
  /** Commands and their answers. */
  bytesPerSecond: number;
}

export interface HotKey {
  key: string;
  /** Of the slot's commands in a short sample, 0 to 1. */
  share: number;
}

export interface HotSlot extends Omit<ShardLoad, 'slots'> {
  slot: number;
  /** It alone is more than a shard's share of the load. */
  tooHot: boolean;
  hottestKeys: HotKey[];
}

export interface HotspotsDocument {
  database: string;
  seconds: number;
  shards: ShardLoad[];
  /** The hottest first. */
  slots: HotSlot[];
}

/** Whom clients with TLS must believe. */
export interface AuthoritiesDocument {
  /** One certificate or more, in PEM. */
  pem: string;
}

/** Which copy is to become the primary of a shard. */
export const switchoverSchema = z.strictObject({
  to: z
    .string()
    .optional()
    .describe(
      'A machine, or the beginning of a node id (4 letters or more); else the copy whose machine has the fewest primaries.',
    ),
});

/** A switchover that has been asked for: the node `to` takes the place of `from`. */
export interface SwitchoverDocument {
  shard: string;
  from: string;
  to: string;
}

/** That another takes the place of a primary that nobody hears of. */
export const takeoverSchema = z.strictObject({
  to: z
    .string()
    .optional()
    .describe('A machine, or the beginning of a node id (4 letters or more); else the copy with the most history.'),
  machineIsOff: z
    .boolean()
    .default(false)
    .describe("You say: the machine of the shard's primary is off, or cut off, and writes no more."),
  alsoOff: z
    .array(z.string())
    .max(100)
    .default([])
    .describe('You say the same of these machines, whose primaries are not heard of either.'),
  loseAcknowledged: z.boolean().default(false).describe('Even if acknowledged writes are lost by it.'),
});

/** A takeover that has been asked for: the node `to` takes the place of `from`. */
export interface TakeoverDocument {
  shard: string;
  from: string;
  to: string;
  /** By the vote of the other primaries, or without one. */
  mode: 'force' | 'takeover';
}

/** What is known of a machine that is taken out of the fleet. */
export const removalSchema = z.strictObject({
  isOff: z.stringbool().default(false).describe('You say: it is off for good, and what it has is given up.'),
  loseData: z.stringbool().default(false).describe('Even if there is no copy elsewhere of some of it.'),
});

/** A token for one machine that is to join. */
export const createTokenSchema = z.strictObject({
  ttlSeconds: z.int().min(1).max(604_800).default(3_600).describe('How long it may be used.'),
  machine: z.string().optional().describe('The name under which the machine joins; else it chooses one.'),
  labels: z.record(z.string(), z.string()).default({}).describe('Labels that the machine gets.'),
});

/** A token that was made: its text is shown this once. */
export interface CreatedToken {
  id: string;
  token: string;
  /** The line to run on the machine that is to join. */
  command: string;
  /** ISO time. */
  expiresAt: string;
}

/** A token as it is listed. */
export interface TokenStatus {
  id: string;
  state: 'fresh' | 'used' | 'expired';
  /** ISO time. */
  createdAt: string;
  /** ISO time. */
  expiresAt: string;
  /** For whom it is, or who has used it; null: for anybody, and unused. */
  machine: string | null;
  labels: Readonly<Record<string, string>>;
}

/** The tokens, newest first. */
export interface TokenList {
  tokens: TokenStatus[];
}

/** Labels by name; null takes one away. */
export const labelsSchema = z.record(z.string(), z.string().nullable());

/** Endpoints whose connections are handed to a successor. */
export const restartEndpointsSchema = z.strictObject({
  machine: z.string().optional().describe('Only the endpoint of this machine.'),
  drainSeconds: z.int().min(0).max(3_600).default(30).describe('How long old connections may last at most.'),
});

/** The machines whose endpoint was replaced. */
export interface RestartedEndpoints {
  machines: string[];
}

export interface DatabaseList {
  databases: DatabaseStatus[];
}

export interface MachineList {
  machines: MachineStatus[];
}

export interface EventList {
  events: Event[];
}

/** Conditions of several databases. */
export interface FailoverList {
  failovers: FailoverRecord[];
}

export interface FleetConditionList {
  conditions: (Condition & { database: string })[];
}

export interface LogDocument {
  source: string;
  text: string;
}
