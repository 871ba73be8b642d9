/**
 * Which node of a machine may fork next, to save a snapshot or to write its log anew. The engine would do so by itself, each
 * node for its own reasons; several at once could need more memory than is kept free for one. So agents say when.
 */
import type { NodeId } from '../domain/ids.ts';

const MIB = 1024 ** 2;

/** What a node says of its files (INFO persistence, memory). */
export interface ForkFacts {
  node: NodeId;
  /** Snapshots are wanted; a log is. */
  keepsSnapshots: boolean;
  keepsLog: boolean;
  /** A child is saving, copying or writing a log anew, for whatever reason. */
  forks: boolean;
  /** Writes since the last snapshot, and seconds since it was begun or last tried. */
  changes: number;
  savedSecondsAgo: number;
  /** The last try failed. */
  saveFailed: boolean;
  rewriteFailed: boolean;
  /** Bytes of the log now, and when it was written anew last. */
  logBytes: number;
  logBaseBytes: number;
  usedBytes: number;
}

/** A snapshot is due after so many seconds if there were so many writes: the engine's own defaults. */
const SNAPSHOT_RULES = [
  { seconds: 3_600, changes: 1 },
  { seconds: 300, changes: 100 },
  { seconds: 60, changes: 10_000 },
] as const;
/** A log is written anew when it has doubled, and is worth it (`auto-aof-rewrite-percentage 100`, `-min-size 64mb`). */
const LOG_GROWTH = 2;
const LEAST_LOG_BYTES = 64 * MIB;
/** Pages that are written while a fork lasts exist twice: so much of the data is reserved for that (placement/reserve.ts). */
const SPARE_SHARE = 0.25;
/** What failed is not tried again before. */
export const RETRY_MS = 60_000;

export type Fork = { node: NodeId; kind: 'snapshot' | 'rewrite' };

export interface NextFork {
  /** To be begun now. */
  fork: Fork | null;
  /** Due, and put off as too little memory is free: what it would take, in bytes. */
  postponed: (Fork & { neededBytes: number })[];
}

/**
 * One at a time on a machine, the most overdue first.
 * @param availableBytes of memory, on the machine
 * @param triedAt when each was tried last, in milliseconds of any clock; those that failed wait
 */
export function nextFork(
  nodes: readonly ForkFacts[],
  availableBytes: number,
  triedAt: ReadonlyMap<NodeId, number>,
  now: number,
): NextFork {
  const due = nodes
    .flatMap((facts) => dueOf(facts, now - (triedAt.get(facts.node) ?? -Infinity)))
    .sort((a, b) => b.overdue - a.overdue);
  const postponed = due
    .filter(({ neededBytes }) => neededBytes > availableBytes)
    .map(({ node, kind, neededBytes }) => ({ node, kind, neededBytes }));
  const first = due.find(({ neededBytes }) => neededBytes <= availableBytes);
  const isBusy = nodes.some(({ forks }) => forks);
  return { fork: first && !isBusy ? { node: first.node, kind: first.kind } : null, postponed };
}

type Due = Fork & { overdue: number; neededBytes: number };

function dueOf(facts: ForkFacts, sinceTriedMs: number): Due[] {
  const { node, keepsLog, keepsSnapshots, usedBytes, saveFailed, rewriteFailed } = facts;
  const neededBytes = Math.ceil(usedBytes * SPARE_SHARE);
  const waits = (failed: boolean): boolean => failed && sinceTriedMs < RETRY_MS;
  const found: Due[] = [];
  const snapshot = keepsSnapshots ? overdueSnapshot(facts) : 0;
  if (snapshot >= 1 && !waits(saveFailed)) found.push({ node, kind: 'snapshot', overdue: snapshot, neededBytes });
  const rewrite = keepsLog ? overdueRewrite(facts) : 0;
  if (rewrite >= 1 && !waits(rewriteFailed)) found.push({ node, kind: 'rewrite', overdue: rewrite, neededBytes });
  return found;
}

/** From 1 on it is due; the more, the longer. */
const overdueSnapshot = ({ changes, savedSecondsAgo }: ForkFacts): number =>
  Math.max(
    0,
    ...SNAPSHOT_RULES.filter((rule) => changes >= rule.changes).map(({ seconds }) => savedSecondsAgo / seconds),
  );

const overdueRewrite = ({ logBytes, logBaseBytes }: ForkFacts): number =>
  logBytes / Math.max(LEAST_LOG_BYTES, LOG_GROWTH * logBaseBytes);
