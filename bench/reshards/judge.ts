/** What became of acknowledged operations, from what is read back afterwards. Pure: no clock, no client. */
import { UNKNOWN } from '../faults/history.ts';

/** How many operations each is true of. */
export interface Finding {
  /** Acknowledged, and not there. */
  lost: number;
  /** There with another value, there without having been sent, or there although it was refused. */
  wrong: number;
  /** Applied once more than it was sent. */
  twice: number;
}

/** How an operation ended: `ok`, or the kind of its error (see `kindOf`). */
export type Outcome = string;
export const OK = 'ok';

export const NOTHING: Finding = { lost: 0, wrong: 0, twice: 0 };

/** A kind that is the engine's or the endpoint's own word: all of them but one say that nothing was done. */
const ENGINE_WORD = /^[A-Z][A-Z0-9_]+$/;
/** A kind that the operating system named, such as ECONNRESET: nobody knows what was done. */
const SYSTEM_WORD = /^E(?!RR$)[A-Z]+$/;

/** The error says that nothing was done. Of all others nobody knows. */
export const isRefusal = (outcome: Outcome): boolean =>
  outcome !== UNKNOWN && ENGINE_WORD.test(outcome) && !SYSTEM_WORD.test(outcome);

/** Of a key that was written once. */
export function judgeValue(outcome: Outcome, expected: string, found: string | null): Finding {
  if (found === null) return outcome === OK ? { ...NOTHING, lost: 1 } : NOTHING;
  return found !== expected || isRefusal(outcome) ? { ...NOTHING, wrong: 1 } : NOTHING;
}

/** Of a list to which every item was pushed once: `pushed` tells how each push ended. */
export function judgeList(pushed: ReadonlyMap<string, Outcome>, found: readonly string[]): Finding {
  const times = new Map<string, number>();
  for (const item of found) times.set(item, (times.get(item) ?? 0) + 1);
  const finding = { ...NOTHING };
  for (const [item, count] of times) {
    const outcome = pushed.get(item);
    if (outcome === undefined || isRefusal(outcome)) finding.wrong += 1;
    else finding.twice += count - 1;
  }
  for (const [item, outcome] of pushed) if (outcome === OK && !times.has(item)) finding.lost += 1;
  return finding;
}

/**
 * Of a counter that was only ever incremented, by one. Each reply is what the counter was made, so what is in the value
 * is exactly one increment for each number up to it: an acknowledged one whose number was given a second time, or is
 * above the value, was lost, also when others have made up for it since.
 * @param replies of the increments that were acknowledged
 * @param open how many others may have been applied
 */
export function judgeCounter(replies: readonly number[], open: number, value: number): Finding {
  const present = new Set(replies.filter((reply) => reply <= value)).size;
  return { ...NOTHING, lost: replies.length - present, twice: Math.max(0, value - present - open) };
}

export const sumOf = (findings: readonly Finding[]): Finding =>
  findings.reduce((a, b) => ({ lost: a.lost + b.lost, wrong: a.wrong + b.wrong, twice: a.twice + b.twice }), NOTHING);

export const isClean = ({ lost, wrong, twice }: Finding): boolean => lost + wrong + twice === 0;

/** Keys are looked at more than once: what was told of one is not told again. */
export class Told {
  readonly #byKey = new Map<string, Finding>();

  /** What is found now and was not before. */
  news(key: string, now: Finding): Finding {
    const before = this.#byKey.get(key) ?? NOTHING;
    const more = (of: keyof Finding): number => Math.max(0, now[of] - before[of]);
    const news = { lost: more('lost'), wrong: more('wrong'), twice: more('twice') };
    if (!isClean(news)) this.#byKey.set(key, sumOf([before, news]));
    return news;
  }
}
