/** How much each shard is to give or take, before it is said which slots these are. */
import type { Board } from './board.ts';

/**
 * The least load that can move: who is above the upper bound gives down to it, who is below the lower one takes up to
 * it; of the two sums the larger decides, and the other shards give or take the difference, the fullest or emptiest first.
 * @returns by shard what it is to give (above 0) or to take (below); together 0
 */
export function surpluses({ loads, frame, task, low, high }: Board): Float64Array {
  const surplus = Float64Array.from(loads);
  for (const [slot, shard] of frame.hot) surplus[shard]! -= task.weights[slot]!;
  for (const shard of frame.open) {
    surplus[shard] = Math.max(0, loads[shard]! - high) - Math.max(0, low - loads[shard]!);
  }
  const balance = surplus.reduce((sum, one) => sum + one, 0);
  // Too much is given: more is taken, by the emptiest; else more is given, by the fullest.
  const sign = balance > 0 ? 1 : -1;
  const height = (shard: number): number => sign * (loads[shard]! - surplus[shard]!);
  const water = waterLevel(frame.open.map(height), Math.abs(balance));
  for (const shard of frame.open) surplus[shard]! -= sign * Math.max(0, water - height(shard));
  return surplus;
}

/** To which height so much fills vessels of these heights. */
function waterLevel(heights: readonly number[], amount: number): number {
  const sorted = heights.toSorted((a, b) => a - b);
  let left = amount;
  for (let at = 1; at < sorted.length; at += 1) {
    const step = (sorted[at]! - sorted[at - 1]!) * at;
    if (step >= left) return sorted[at - 1]! + left / at;
    left -= step;
  }
  return sorted.at(-1)! + left / sorted.length;
}
