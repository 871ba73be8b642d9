/** A step: one action on one target, as frozen data. It says what must hold before it and which problem it mends. */
import type { NodeId } from '../domain/ids.ts';
import type { SlotRange } from '../domain/slots.ts';
import type { Ownership } from '../domain/start-as.ts';
import type { NodeView, Settings } from '../domain/view.ts';
import type { ProblemCode } from './problems.ts';

/** What must be true of the target when the step begins; checked again at the node itself. */
export interface Expectation {
  process?: 'absent' | 'exited' | 'running';
  role?: 'primary' | 'replica';
  primaryId?: NodeId;
  ownsSlots?: boolean;
  /** Its append-only file holds all there is. */
  logComplete?: boolean;
}

/** What the slots of one job have together at most; a job has one slot at least. */
export interface JobSize {
  keys: number;
  /** That are written to them. */
  bytesPerSecond: number;
}

export interface JobLimits {
  most: JobSize;
  atOnce: number;
}

/** What a source gives to one target. */
export interface SlotMove {
  to: NodeId;
  slots: readonly SlotRange[];
  /** So many jobs may follow one another, as far as the target's memory goes; one at least. */
  inARow: number;
}

/** Every kind of step with its arguments. */
export interface StepArgs {
  /** The node is made on its machine and started. */
  create_node: { birth: 'primary' | 'replica' };
  /**
   * A process is started: as what its disk says, but for slots that are others' (`yields`); or fenced as the replica of
   * another node, which owns these slots.
   */
  start_node: { replicaOf: Ownership | null; yields?: readonly Ownership[] };
  /** A process that cannot be what it should is ended; it is started again when it is seen to have ended. */
  stop_node: Record<string, never>;
  /** A newborn primary takes the slots it was born for. */
  claim_slots: Record<string, never>;
  /** The node is introduced to others. */
  meet: { peers: readonly NodeId[] };
  /** The node becomes a replica. */
  replicate: { primary: NodeId };
  /** A primary sends its replicas a write that leaves nothing behind, to see that they acknowledge it. */
  probe: { slots: readonly SlotRange[] };
  /** A replica takes the place of a dead primary; by vote, or without one when no majority can vote. */
  promote: { insteadOf: NodeId; mode: 'force' | 'takeover' };
  /** A replica and its living primary change places, losing nothing. */
  switch_over: { insteadOf: NodeId };
  /** A replica is to be the primary, as if it had been asked for: it counts for ten minutes. */
  want_primary: { insteadOf: NodeId };
  /** The node forgets others that are not part of the database. */
  forget: { strangers: readonly NodeId[] };
  /** The node's process takes these settings. */
  configure: { settings: Settings };
  /** The node's valkey.conf follows: its next start has these settings, too. */
  write_config: { settings: Settings };
  /** The node's ACL file and its process get the users that are wanted. */
  write_users: Record<string, never>;
  /** The end of its append-only log that cannot be read is cut off, and kept beside it. */
  cut_log: Record<string, never>;
  /** Data that cannot be loaded is put aside: the node begins without any. */
  set_data_aside: Record<string, never>;
  /** The node is stopped and its directory removed. */
  remove_node: Record<string, never>;
  /** The shard gets a further node on this machine; it comes into being next. `present`: the shard's nodes as they were seen. */
  add_copy: { machine: string; present: readonly NodeId[] };
  /** A node is no longer part of the database; what is left of it is removed next. */
  retire_copy: Record<string, never>;
  /**
   * Slots go to other primaries, with all that is in them: of the first of these moves as many as make a job of this size,
   * and then another. So many jobs are given to the engine at once, which makes one snapshot after the other. Where no
   * client uses the source, other limits may hold.
   */
  move_slots: JobLimits & { moves: readonly SlotMove[]; ifQuiet: JobLimits | null };
  /** A shard that owns nothing is no longer part of the database; what is left of its nodes is removed next. */
  retire_shard: Record<string, never>;
  /** What is left of a node that was replaced is removed, and the record forgets it. */
  clear_retired: Record<string, never>;
  /** The database's record is removed. */
  delete_record: Record<string, never>;
}

export type StepKind = keyof StepArgs;

export type Step = {
  [Kind in StepKind]: {
    readonly kind: Kind;
    /** A node id; for `add_copy` and `retire_shard` the shard's name, for `delete_record` the database's. */
    readonly target: string;
    readonly args: Readonly<StepArgs[Kind]>;
    readonly expects: Readonly<Expectation>;
    readonly because: ProblemCode;
  };
}[StepKind];

/** What came of a step. `done` is believed only when the next observation agrees. */
export type Outcome =
  | { result: 'done' }
  /** It did not work this time, for this reason; the next pass decides anew. */
  | { result: 'retry'; reason: string }
  /** What it expected no longer holds: nothing was done. */
  | { result: 'blocked'; reason: string }
  | { result: 'failed'; reason: string };

/** Why the expectation does not hold for this view of the target, or null when it does. */
export function unmetExpectation(expects: Expectation, node: NodeView): string | null {
  if (expects.process && node.process.state !== expects.process) {
    return `its process is ${node.process.state}, not ${expects.process}`;
  }
  const { process: _, ...ofEngine } = expects;
  if (Object.keys(ofEngine).length === 0) return null;
  if (node.engine.state !== 'answering') return `it does not answer (${node.engine.reason})`;
  if (expects.role && node.engine.role !== expects.role) return `it is a ${node.engine.role}, not a ${expects.role}`;
  if (expects.primaryId && node.engine.primaryId !== expects.primaryId) return 'it follows another primary';
  if (expects.ownsSlots !== undefined && node.engine.slots.length > 0 !== expects.ownsSlots) {
    return expects.ownsSlots ? 'it owns no slots' : 'it owns slots';
  }
  if (expects.logComplete && !node.engine.logComplete) return 'its append-only file is not complete';
  return null;
}
