/** The record of one failover: what was lost, who could take over, who did, what it cost, and the story as it went. */
import { type NodeId, shortId } from './ids.ts';

export const FAILOVER_CAUSES = ['process_ended', 'process_stopped', 'machine_lost', 'asked'] as const;

/**
 * `process_ended`: the process of the primary was gone. `process_stopped`: it was stopped or hung, and ended by its agent.
 * `machine_lost`: nobody heard of its machine any more. `asked`: somebody wanted it.
 */
export type FailoverCause = (typeof FAILOVER_CAUSES)[number];

export const FAILOVER_MODES = ['force', 'takeover', 'coordinated'] as const;

/**
 * `force`: by the vote of the other primaries, without the old one. `takeover`: without a vote, where none is possible.
 * `coordinated`: with the old primary's help, losing nothing.
 */
export type FailoverMode = (typeof FAILOVER_MODES)[number];

export const FAILOVER_LIMITS = {
  /** Records an agent keeps until a control plane has them; beyond that the oldest are lost. */
  waiting: 100,
  /** Records kept of each database. */
  keptPerDatabase: 100,
  /** Of one record: moments of its story, characters of each, replicas that were asked. */
  moments: 40,
  momentChars: 200,
  candidates: 16,
  /** One record, in bytes of its JSON text: it must fit into an event. */
  recordBytes: 14 * 1024,
} as const;

/** By then endpoints have found the new primary, and know how long their commands waited; milliseconds after the promotion. */
export const WAITS_OVER_MS = 1_500;

/** Stands in `by` where no agent acted; no machine has such a name. */
export const CONTROL_PLANE = 'the control plane';

/** A replica that was asked whether it could take over. */
export interface FailoverCandidate {
  node: NodeId;
  machine: string;
  /** How far it had copied the primary's history, in bytes; null when it did not answer. */
  offset: number | null;
}

export type FailoverResult = { state: 'promoted' } | { state: 'given_up'; reason: string };

/** One moment of the story. */
export interface FailoverMoment {
  /** Since the failover began. */
  afterMs: number;
  /** In plain words, such as `the process ended: killed by SIGKILL`. */
  what: string;
}

export interface FailoverRecord {
  id: string;
  database: string;
  databaseUid: string;
  shard: string;
  cause: FailoverCause;
  /** The primary that was lost, and its machine. */
  node: NodeId;
  machine: string;
  /** The machine whose agent acted; `the control plane` for what was asked for. */
  by: string;
  candidates: FailoverCandidate[];
  /** The replica that was to take over; null when none could. */
  chosen: NodeId | null;
  /** Null when it did not come to that. */
  mode: FailoverMode | null;
  result: FailoverResult;
  /** Milliseconds since the epoch, by the clock of `by`. */
  startedAt: number;
  /** From the beginning until the replica was seen to be primary, or it was given up. */
  tookMs: number;
  timeline: FailoverMoment[];
  /** What had been written so long before the primary ended, and earlier, the chosen one had; null: not known. */
  lostAtMostMs: number | null;
  /** The longest time that an endpoint held back commands meanwhile; null: not known. */
  waitedMs: number | null;
}

const CAUSE_WORDS: Record<FailoverCause, string> = {
  process_ended: 'whose process ended',
  process_stopped: 'which was stopped or hung and was ended',
  machine_lost: 'whose machine was lost',
  asked: 'as asked',
};

/** The record in one sentence, with its figures. */
export function describeFailover(record: FailoverRecord): string {
  const { shard, node, machine, cause, chosen, mode, result, tookMs, candidates } = record;
  const lost = `${shortId(node)} on ${machine}, ${CAUSE_WORDS[cause]}`;
  if (result.state === 'given_up') return `Nobody took the place of ${lost}, in ${shard}: ${result.reason}.`;
  const to = candidates.find((one) => one.node === chosen)?.machine;
  const winner = `${chosen === null ? 'A replica' : shortId(chosen)}${to === undefined ? '' : ` on ${to}`}`;
  const how = mode === null ? '' : ` by ${mode}`;
  return `${winner} took the place of ${lost}, in ${shard}${how} after ${tookMs} ms; ${costInWords(record)}.`;
}

/** Its moments, a line each, with when they came. */
export function timelineInWords({ timeline }: FailoverRecord): string[] {
  const digits = String(Math.max(0, ...timeline.map(({ afterMs }) => afterMs))).length;
  return timeline.map(({ afterMs, what }) => `${String(afterMs).padStart(digits)} ms  ${what}`);
}

/** What it cost: writes that may be lost, and how long clients waited. */
export function costInWords({ lostAtMostMs, waitedMs }: FailoverRecord): string {
  const lost =
    lostAtMostMs === null
      ? 'how much it lost is not known'
      : `nothing was lost that was written more than ${lostAtMostMs} ms before`;
  if (waitedMs === null) return lost;
  return waitedMs === 0 ? `${lost}, and no command waited` : `${lost}, and commands waited up to ${waitedMs} ms`;
}
