/** A change of which shard owns which slots, while it lasts: as it is stored, and as the nodes tell of its jobs. */
import type { NodeId } from './ids.ts';
import type { SlotRange } from './slots.ts';
import { type DatabaseSpec, PACES } from './spec.ts';

/** Slots by the name of the shard that owns them, or is to. */
export type SlotsByShard = Readonly<Record<string, readonly SlotRange[]>>;

/**
 * Where the slots are to be. Who has them now is never stored: the engine says so, and what is to move next follows from
 * the difference.
 */
export interface Reshard {
  /** Every slot once. A shard that is to own none leaves the database when all slots are where they are to be. */
  goal: SlotsByShard;
  /** What it was asked of: to be restored by a cancellation. */
  before: { shards: number; goal: SlotsByShard };
  /** No further job begins; one that runs ends by itself. */
  paused: boolean;
  /** It leads back to what was before a reshard that was given up. */
  cancels: boolean;
  /** Milliseconds since the epoch. Jobs that failed before `retriesFrom` count no more. */
  startedAt: number;
  retriesFrom: number;
  /** What was to be expected when it began. */
  estimate: ReshardEstimate;
}

/** The shard is to own nothing. */
export const isToLeave = (goal: SlotsByShard, shard: string): boolean => (goal[shard] ?? []).length === 0;

/** What jobs are sized for: the pace that is asked for, or that nobody uses the database. */
export const JOB_PACES = [...PACES, 'quiet'] as const;
export type JobPace = (typeof JOB_PACES)[number];

export interface ReshardEstimate {
  pace: JobPace;
  slots: number;
  keys: number;
  bytes: number;
  jobs: number;
  /** A slot moves as a whole, and its source answers nobody while it drops the keys: some 2 us each. */
  largestSlotKeys: number;
  /** All of it: until new shards are there, the jobs, and until those that leave have left. */
  seconds: number;
  /** The most data that one shard may have meanwhile. */
  peakBytes: number;
  /** Of a client whose command meets the end of the largest job. */
  longestWaitMs: number;
}

/** One job of atomic slot migration, by the word of a node that takes part (CLUSTER GETSLOTMIGRATIONS). */
export interface SlotMigration {
  name: string;
  /** `export`: told by the node that gives. */
  side: 'export' | 'import';
  slots: readonly SlotRange[];
  source: NodeId;
  target: NodeId;
  /** `active` stands for every state on the way. A failed one is no proof of who owns the slots. */
  state: 'active' | 'success' | 'failed' | 'cancelled';
  /** The engine's word for the state, such as `snapshotting`. */
  phase: string;
  /** Why it failed; empty else. */
  message: string;
  /** Milliseconds since the epoch, to the second, by the node's clock. */
  createdAt: number;
  updatedAt: number;
  /** Written during the job and not sent yet. */
  remainingBytes: number;
}

/** The engine's words for how far an active job is, in order; `GETSLOTMIGRATIONS` of the node that gives. */
export const JOB_PHASES = [
  'connecting',
  'sending-auth-command',
  'reading-auth-response',
  'sending-establish-command',
  'reading-establish-response',
  'waiting-to-snapshot',
  'snapshotting',
  'replicating',
  'waiting-to-pause',
  'failover-paused',
  'failover-granted',
] as const;

/** Its place among `JOB_PHASES`; -1 of a phase that is not known. */
export const phaseOf = ({ phase }: Pick<SlotMigration, 'phase'>): number =>
  (JOB_PHASES as readonly string[]).indexOf(phase);

/** Whether its snapshot has begun. A phase that is not known has. */
export const hasSnapshot = (job: Pick<SlotMigration, 'phase'>): boolean => {
  const at = phaseOf(job);
  return at < 0 || at >= JOB_PHASES.indexOf('snapshotting');
};

/** The spec as the nodes are to live by it now. */
export interface PresentSpec extends DatabaseSpec {
  /** Nothing is logged below a warning. */
  logsLess?: boolean;
}

/**
 * While slots move, a shard may hold what it held before or what it is to hold, so it has the larger share of the memory.
 * And its log is quieter: the engine writes a line for each slot that it empties at the end of a job, and answers nobody
 * meanwhile. Measured for 5,461 slots with 20,000 keys: 82 to 175 ms, and 24 to 49 ms without these lines.
 */
export const presentSpec = (spec: DatabaseSpec, reshard: Reshard | null): PresentSpec =>
  reshard === null ? spec : { ...spec, shards: Math.min(spec.shards, reshard.before.shards), logsLess: true };
