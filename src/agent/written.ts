/**
 * How far a primary's history had come from time to time. A copy that has as much is known to have all that was written
 * until then, so that a failover can say what it cannot have lost.
 */

/** All that was written before `at` lies within the first `offset` bytes of this history. */
export interface WrittenMark {
  /** Milliseconds of the monotonic clock, just before the primary was asked. */
  at: number;
  history: string;
  offset: number;
}

/** At two marks a second more than a copy that streams can be behind. */
const KEPT = 20;

/** The marks with one more; the oldest goes when there are too many. */
export const withMark = (marks: readonly WrittenMark[], mark: WrittenMark): WrittenMark[] => [
  ...marks.slice(1 - KEPT),
  mark,
];

/**
 * How old a write must have been at the primary's end not to be missing in a copy, in milliseconds; null when that is
 * not known.
 * @param marks of the primary, the oldest first
 * @param endedAt as `WrittenMark.at`
 */
export function missingAtMostMs(
  marks: readonly WrittenMark[],
  copy: Pick<WrittenMark, 'history' | 'offset'>,
  endedAt: number,
): number | null {
  const had = marks.findLast(({ history, offset }) => history === copy.history && offset <= copy.offset);
  return had ? Math.max(0, Math.ceil(endedAt - had.at)) : null;
}
