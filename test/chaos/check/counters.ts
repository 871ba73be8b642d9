/** Keys that are only incremented: every acknowledged INCR must show in each later answer and at the end. */
import type { Operation } from '../history.ts';
import type { KeyHistory, Violation } from './violation.ts';

type Increment = Operation & { result: number };

/** What is wrong with a counter. */
export function checkCounter({ database, key, operations, final, finalMs }: KeyHistory<number>): Violation[] {
  const violation = (kind: Violation['kind'], detail: string, missing: readonly Operation[] = []): Violation => ({
    ...{ kind, database, key, detail, missing },
  });
  const count = (outcome: Operation['outcome']): number => operations.filter((one) => one.outcome === outcome).length;
  const [ok, unknown, failed] = [count('ok'), count('unknown'), count('failed')];
  const sum = `${final} at the end; ${ok} acknowledged, ${unknown} unknown, ${failed} failed`;
  const found: Violation[] = [];

  const excess = final - ok - unknown;
  if (excess > 0) found.push(violation(excess <= failed ? 'failed-applied' : 'twice', sum));
  const acknowledged = operations.filter((one): one is Increment => one.outcome === 'ok');
  for (const { id, result, endedMs } of acknowledged) {
    const asked = operations.filter((one) => one.beganMs < endedMs && one.outcome !== 'failed').length;
    if (result > asked && excess <= 0) {
      found.push(violation('twice', `${id} answered ${result} when ${asked} had been asked for`));
      break;
    }
  }
  const missing = missingOf(acknowledged, final, finalMs);
  if (missing.length > 0) found.push(violation('lost', `${sum}; not counted: ${missing.map(({ id }) => id)}`, missing));
  return found;
}

/** Increments that a later answer, or the end, does not count, and those that share their answer with another. */
function missingOf(acknowledged: readonly Increment[], final: number, finalMs: number): Increment[] {
  const byBegin = [...acknowledged].sort((a, b) => a.beganMs - b.beganMs);
  // least[i]: the smallest answer of those from i on.
  const least = byBegin.map(({ result }) => result);
  for (let at = least.length - 2; at >= 0; at -= 1) least[at] = Math.min(least[at]!, least[at + 1]!);
  const laterLeast = (endedMs: number): number => {
    let [low, high] = [0, byBegin.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byBegin[middle]!.beganMs > endedMs) high = middle;
      else low = middle + 1;
    }
    return Math.min(least[low] ?? Number.POSITIVE_INFINITY, endedMs < finalMs ? final + 1 : Number.POSITIVE_INFINITY);
  };
  const seen = new Set<number>();
  return [...acknowledged]
    .sort((a, b) => b.endedMs - a.endedMs)
    .filter(({ result, endedMs }) => {
      const shared = seen.has(result);
      seen.add(result);
      return shared || laterLeast(endedMs) <= result;
    });
}
