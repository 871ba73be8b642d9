/** Slots that carry more than a share may: no spread can bring their shards within the tolerance, so each gets one. */
import type { Frame, Task } from './board.ts';
import { NOBODY } from './board.ts';

/**
 * Sets hot slots apart, the heaviest first; each makes the share of the other shards smaller, so that the next may be too
 * heavy for it. One shard at least is left for all the others.
 */
export function frameOf(task: Task): Frame {
  const { weights, staying, tolerance } = task;
  const slots = Array.from(weights.keys()).filter((slot) => weights[slot]! > 0);
  slots.sort((a, b) => weights[b]! - weights[a]! || a - b);
  let left = slots.reduce((sum, slot) => sum + weights[slot]!, 0);
  let count = 0;
  while (count < staying - 1 && count < slots.length) {
    const weight = weights[slots[count]!]!;
    if (weight <= (left / (staying - count)) * (1 + tolerance)) break;
    left = Math.max(0, left - weight);
    count += 1;
  }
  const hot = homes(task, slots.slice(0, count));
  const closed = new Set(hot.values());
  const open = Array.from({ length: staying }, (_, shard) => shard).filter((shard) => !closed.has(shard));
  return { hot, open, mean: count === slots.length ? 0 : left / open.length };
}

/** Each stays where it is, the heaviest of a shard; the others go where the least has to make way. */
function homes({ present, weights, shards, staying }: Task, hot: readonly number[]): Map<number, number> {
  const loads = new Float64Array(shards);
  present.forEach((owner, slot) => {
    if (owner !== NOBODY) loads[owner]! += weights[slot]!;
  });
  const home = new Map<number, number>();
  const free = new Set(Array.from({ length: staying }, (_, shard) => shard));
  for (const slot of hot) if (free.delete(present[slot]!)) home.set(slot, present[slot]!);
  for (const slot of hot) {
    if (home.has(slot)) continue;
    const emptiest = [...free].reduce((least, shard) => (loads[shard]! < loads[least]! ? shard : least));
    free.delete(emptiest);
    home.set(slot, emptiest);
  }
  return home;
}
