/** Slots that carry more than a share may: no spread can bring their shards within the tolerance, so each gets one. */
import { type Frame, NOBODY, type Task } from './board.ts';

/**
 * Sets hot slots apart, the heaviest first; each makes the share of the other shards smaller, so that the next may be too
 * heavy for it. One shard at least is left for all the others.
 */
export function frameOf(task: Task): Frame {
  const { weights, byWeight, staying, tolerance } = task;
  const lightest = [...byWeight];
  // Summed from the lightest on: what is left of a large sum after a subtraction would be rounding.
  const sums = [0];
  for (const slot of lightest) sums.push(sums.at(-1)! + weights[slot]!);
  const heaviest: number[] = [];
  while (lightest.length > 0 && heaviest.length < staying - 1) {
    const share = sums[lightest.length]! / (staying - heaviest.length);
    if (weights[lightest.at(-1)!]! <= share * (1 + tolerance)) break;
    heaviest.push(lightest.pop()!);
  }
  const hot = homes(task, heaviest);
  const closed = new Set(hot.values());
  const open = Array.from({ length: staying }, (_, shard) => shard).filter((shard) => !closed.has(shard));
  return { hot, open, mean: sums[lightest.length]! / open.length };
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
