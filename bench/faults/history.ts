/**
 * What one repetition of a fault looked like from a client, and what follows from it. Pure: no clock, no process.
 * All times are milliseconds of one clock that every process of the host shares (see clock.ts).
 */

/** One write: a key of its own, a value of its own, sent once. */
export interface Write {
  /** Place of its shard in the order of shards. */
  shard: number;
  sentAt: number;
  /** When an answer came; null: none came before the repetition was over. */
  answeredAt: number | null;
  /** `ok`, or in what kind of error it ended (see `kindOf`). */
  outcome: string;
}

/** When and where the fault struck. */
export interface Blow {
  /** Places of the shards whose primaries were hit. */
  shards: readonly number[];
  /** More shards (or parts of one) whose commands may have been on their way to what was hit. */
  also?: readonly number[];
  /** Just before it. */
  at: number;
  /** From here on what was hit is known to answer nothing: an OK to a write sent earlier may still be its own. */
  deadAt: number;
}

/** What became of the acknowledged writes, by their places in the history. */
export interface ReadBack {
  /** Acknowledged, and not there or with another value. */
  lost: number[];
  /** Not acknowledged, and there all the same. */
  carriedOut: number[];
}

export interface Finding {
  /** From the fault to the first OK for a key of the hit shard; of several, that which came last; null: not for each. */
  waitMs: number | null;
  writes: number;
  acknowledged: number;
  errors: Record<string, number>;
  /** Errors of commands that cannot have been on their way to what was hit. */
  strayErrors: Record<string, number>;
  lost: number;
  /** From the fault to when the first and the last lost write was acknowledged, if any was. */
  lostFromMs: number | null;
  lostUntilMs: number | null;
  /** Errors that say nothing was done, of writes that are there. */
  deniedButDone: number;
}

/** The outcome that says nobody knows: allowed for what was on its way to the process or machine that was lost. */
export const UNKNOWN = 'UNKNOWNOUTCOME';
/** No answer came at all, or the connection to what was asked ended: nobody knows either. */
export const UNANSWERED = 'no answer';
const CONNECTION_LOST = 'connection lost';
/** What ioredis says of all that it had not got an answer to, sent or not, when its connection ended. */
const NOT_CONNECTED = 'not connected';
const UNDECIDED = new Set([UNKNOWN, UNANSWERED, CONNECTION_LOST]);
/** Says that nothing was done, and so nothing may have been. */
const denies = ({ outcome }: Write): boolean => !UNDECIDED.has(outcome) && outcome !== NOT_CONNECTED;

/** What a repetition showed. */
export function judge(writes: readonly Write[], blow: Blow, { lost, carriedOut }: ReadBack): Finding {
  const failed = writes.filter(({ outcome }) => outcome !== 'ok');
  const acknowledgedAt = lost.map((place) => writes[place]!.answeredAt ?? blow.at);
  return {
    waitMs: waitOf(writes, blow),
    writes: writes.length,
    acknowledged: writes.length - failed.length,
    errors: countByKind(failed),
    strayErrors: countByKind(strayErrors(failed, blow)),
    lost: lost.length,
    lostFromMs: lost.length === 0 ? null : acknowledgedAt.reduce((a, b) => Math.min(a, b)) - blow.at,
    lostUntilMs: lost.length === 0 ? null : acknowledgedAt.reduce((a, b) => Math.max(a, b)) - blow.at,
    deniedButDone: carriedOut.filter((place) => denies(writes[place]!)).length,
  };
}

/** From the fault to the earliest OK for a key that was sent when what was hit could answer no more, shard by shard. */
function waitOf(writes: readonly Write[], { shards, at, deadAt }: Blow): number | null {
  const first = new Map(shards.map((shard) => [shard, Number.POSITIVE_INFINITY]));
  for (const { shard, sentAt, answeredAt, outcome } of writes) {
    const earliest = first.get(shard);
    if (earliest === undefined || outcome !== 'ok' || sentAt < deadAt) continue;
    first.set(shard, Math.min(earliest, answeredAt!));
  }
  const last = Math.max(...first.values());
  return Number.isFinite(last) ? last - at : null;
}

/**
 * In flight to what was hit were writes to the hit shard that were sent before its connection was seen to end, which is
 * when the first of them was told that nobody knows. Those may end so; any other error is one too many.
 */
function strayErrors(failed: readonly Write[], blow: Blow): Write[] {
  const allowed = failed.filter((write) => hits(blow, write) && UNDECIDED.has(write.outcome));
  const answers = allowed.map(({ answeredAt }) => answeredAt).filter((at) => at !== null && at >= blow.at) as number[];
  const seenAt = answers.length === 0 ? Number.POSITIVE_INFINITY : answers.reduce((a, b) => Math.min(a, b));
  const inFlight = new Set(allowed.filter(({ sentAt }) => sentAt <= seenAt));
  return failed.filter((write) => !inFlight.has(write));
}

const hits = ({ shards, also = [] }: Blow, { shard }: Write): boolean => shards.includes(shard) || also.includes(shard);

function countByKind(failed: readonly Write[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of failed) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

/** The kind of an error from its message: the engine's and the endpoint's own word where it begins with one. */
export function kindOf(message: string): string {
  const word = /^-?([A-Z][A-Z0-9_]{2,})\b/.exec(message)?.[1];
  if (word !== undefined && !/^E[A-Z]+$/.test(word)) return word;
  if (word === 'ECONNRESET' || word === 'EPIPE' || /connection is (?:closed|in closing)/i.test(message)) {
    return CONNECTION_LOST;
  }
  if (word !== undefined) return word;
  if (/max retries|stream isn't writ/i.test(message)) return NOT_CONNECTED;
  return message.split(/[.:,]/, 1)[0]!.slice(0, 60);
}
