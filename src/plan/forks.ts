/**
 * Which node of a machine may fork next, to save a snapshot or to write its log anew. The engine would do so by itself, each
 * node for its own reasons; several at once could need more memory than is kept free for one. So agents say when.
 */
import type { NodeId } from '../domain/ids.ts';
import type { Reshard } from '../domain/reshard.ts';
import { formatSize } from '../domain/size.ts';
import type { PostponedFork } from '../domain/view.ts';

const MIB = 1024 ** 2;

/** What a node says of its files (INFO persistence, memory), and what is known of it. */
export interface ForkFacts {
  node: NodeId;
  /** Snapshots are wanted; a log is. */
  keepsSnapshots: boolean;
  keepsLog: boolean;
  /** It is to begin with snapshots: its valkey.conf waits for the first one. */
  isAsked: boolean;
  /** Slots of its database are on their way, and not for long yet: jobs would wait for its child. */
  slotsMove: boolean;
  /** Its log is archived in so many pieces that it is to be written anew, however short it is. */
  isLogLong: boolean;
  /** A child is saving, copying or writing a log anew, for whatever reason. */
  forks: boolean;
  /** Writes since the last snapshot, and seconds since that. */
  changes: number;
  savedSecondsAgo: number;
  /** The last try failed. */
  saveFailed: boolean;
  rewriteFailed: boolean;
  /** Bytes of the log now, and when it was written anew last. */
  logBytes: number;
  logBaseBytes: number;
  usedBytes: number;
  /** What its last child of each kind took beside the data. */
  saveCopiedBytes: number;
  rewriteCopiedBytes: number;
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
/** Pages that are written while a child is at work exist twice: so much of the data is reserved for that (placement/reserve.ts). */
const SPARE_SHARE = 0.25;
/** The next child may take so much more than the last one took. */
const MORE_THAN_LAST = 1.5;
/**
 * What failed is tried again after so long, then after twice as long, and so on to the longest. The first is the engine's
 * own; the longest is short, since a node whose snapshot failed refuses writes until one succeeds.
 */
const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 30_000;
/** Others at work are no news before. */
const TURN_PATIENCE_MS = 600_000;

/** So long a log waits for slots on their way; it grows meanwhile. */
const SLOTS_PATIENCE_MS = 600_000;

/** Whether logs wait for a database's slots. @param now of the clock of its record, in milliseconds */
export const isMovingSlots = (reshard: Pick<Reshard, 'paused' | 'startedAt'> | null, now: number): boolean =>
  reshard !== null && !reshard.paused && now - reshard.startedAt < SLOTS_PATIENCE_MS;

/** How a fork was begun last. */
export interface Try {
  /** In milliseconds of any clock. */
  at: number;
  /** How many in a row, with this one. */
  count: number;
  /** The engine did not even begin. */
  isRefused: boolean;
}

export interface Fork {
  node: NodeId;
  kind: PostponedFork['kind'];
  /** As in `Try`. */
  count: number;
}

/** Due, and not begun now. */
export type WaitingFork = Omit<PostponedFork, 'availableBytes'> & { node: NodeId };

/**
 * One at a time on a machine, the most overdue first; one for which memory is free goes before those that lack it.
 * @param availableBytes of memory, on the machine
 * @param tries the last one of each node
 * @param now of the clock of the tries
 */
export function nextFork(
  nodes: readonly ForkFacts[],
  availableBytes: number,
  tries: ReadonlyMap<NodeId, Try>,
  now: number,
): { fork: Fork | null; waiting: WaitingFork[] } {
  const due = nodes.flatMap((facts) => dueOf(facts, tries.get(facts.node), now)).sort((a, b) => b.overdue - a.overdue);
  const fits = ({ neededBytes }: Due): boolean => neededBytes <= availableBytes;
  const isBusy = nodes.some(({ forks }) => forks);
  const first = isBusy ? undefined : due.find(fits);
  return {
    fork: first ? { node: first.node, kind: first.kind, count: first.count } : null,
    waiting: due
      .filter((one) => one !== first)
      .map((one) => ({ ...pick(one), reason: fits(one) ? ('turn' as const) : ('memory' as const) })),
  };
}

const pick = ({ node, kind, neededBytes }: Due) => ({ node, kind, neededBytes });

/** Whether it is to be told that this one waits. @param sinceMs for how long it has */
export const isPostponed = ({ reason }: WaitingFork, sinceMs: number): boolean =>
  reason === 'memory' || sinceMs >= TURN_PATIENCE_MS;

type Due = Fork & { overdue: number; neededBytes: number };

/** At most one. */
function dueOf(facts: ForkFacts, last: Try | undefined, now: number): Due[] {
  const { node, isAsked, keepsSnapshots, keepsLog, forks } = facts;
  if (forks) return [];
  const found = (kind: Fork['kind'], overdue: number, hasFailed: boolean, copiedBytes: number): Due[] => {
    const again = last && (hasFailed || last.isRefused) ? last : null;
    if (overdue < 1 || (again && now - again.at < retryMs(again.count))) return [];
    const neededBytes = neededFor(facts.usedBytes, copiedBytes);
    return [{ node, kind, overdue, neededBytes, count: (again?.count ?? 0) + 1 }];
  };
  if (isAsked || keepsSnapshots) {
    const overdue = isAsked ? Number.POSITIVE_INFINITY : overdueSnapshot(facts);
    return found('snapshot', overdue, facts.saveFailed, facts.saveCopiedBytes);
  }
  return keepsLog && !facts.slotsMove
    ? found('rewrite', overdueRewrite(facts), facts.rewriteFailed, facts.rewriteCopiedBytes)
    : [];
}

/** A quarter of the data, or more if the last one took more, and never more than there is to copy. */
const neededFor = (usedBytes: number, copiedBytes: number): number =>
  Math.ceil(Math.min(usedBytes, Math.max(usedBytes * SPARE_SHARE, copiedBytes * MORE_THAN_LAST)));

/** Memory for a child of a node, in bytes: what it may take, and what is free on its machine. */
export interface ForkRoom {
  neededBytes: number;
  availableBytes: number;
}

/** For the snapshot of a job of slot migration; what one took last is not told. */
export const neededForJob = ({ usedBytes }: Pick<ForkFacts, 'usedBytes'>): number => neededFor(usedBytes, 0);

/** Why no child of it is to begin; null when there is room, or nobody knows. */
export const noForkRoom = (room: ForkRoom | null): string | null =>
  room === null || room.neededBytes <= room.availableBytes
    ? null
    : `a snapshot of it may take ${formatSize(room.neededBytes)} of memory, and ${formatSize(room.availableBytes)} are free on its machine`;

const retryMs = (count: number): number => Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (count - 1));

/** From 1 on it is due; the more, the longer. */
const overdueSnapshot = ({ changes, savedSecondsAgo }: ForkFacts): number =>
  Math.max(
    0,
    ...SNAPSHOT_RULES.filter((rule) => changes >= rule.changes).map(({ seconds }) => savedSecondsAgo / seconds),
  );

const overdueRewrite = ({ logBytes, logBaseBytes, isLogLong }: ForkFacts): number =>
  Math.max(isLogLong ? 1 : 0, logBytes / Math.max(LEAST_LOG_BYTES, LOG_GROWTH * logBaseBytes));
