/** Which of its slots a shard gives: a run of them where that moves hardly more, else those that fit best. */
import type { Board } from './board.ts';

/** A run may carry so much more than the best pick, as a part of what is to go. */
const FOR_A_RUN = 0.01;

export interface Amount {
  /** So much load is to go. */
  need: number;
  /** A single slot of more would be too much for any other shard. */
  most: number;
}

/**
 * @param own the shard's slots, in order
 * @param goes whether a slot of somebody else's goes: a run next to it makes one range with it
 * @returns in order
 */
export function chooseSlots(
  board: Board,
  own: readonly number[],
  { need, most }: Amount,
  goes: (slot: number) => boolean,
): number[] {
  if (need <= board.speck) return [];
  const { weights } = board.task;
  const weighty = own.filter((slot) => weights[slot]! > 0 && weights[slot]! <= most);
  const pick = bestPick(board, weighty, need);
  const picked = pick.reduce((sum, slot) => sum + weights[slot]!, 0);
  const run = shortestRun(board, weighty, need, Math.max(0, picked - need) + need * FOR_A_RUN, goes);
  if (run === null) return pick.sort((a, b) => a - b);
  // Empty slots between cost no load, and keep the range whole.
  return own.slice(own.indexOf(run.first), own.indexOf(run.last) + 1).filter((slot) => weights[slot]! <= most);
}

/** The heaviest that fit, and one that fills the rest: few slots, and hardly more than what is to go. */
function bestPick(board: Board, slots: readonly number[], need: number): number[] {
  const { weights } = board.task;
  const sorted = slots.toSorted((a, b) => weights[b]! - weights[a]! || b - a);
  const picked: number[] = [];
  let left = need;
  for (let at = 0; at < sorted.length && left > board.speck; at += 1) {
    const weight = weights[sorted[at]!]!;
    const next = weights[sorted[at + 1]!] ?? 0;
    const fills = weight >= left && next < left && weight <= left + need * FOR_A_RUN;
    if (weight > left && !fills) continue;
    picked.push(sorted[at]!);
    left -= weight;
  }
  if (left > board.speck) complete(board, sorted, picked, left);
  return picked;
}

/** Nothing fits into the rest: the lightest goes as well, if the shard can do without it. */
function complete({ task, loads, low, goal }: Board, sorted: readonly number[], picked: number[], left: number): void {
  const chosen = new Set(picked);
  const lightest = sorted.findLast((slot) => !chosen.has(slot) && task.weights[slot]! >= left);
  if (lightest === undefined) return;
  const given = picked.reduce((sum, slot) => sum + task.weights[slot]!, 0) + task.weights[lightest]!;
  if (loads[goal[lightest]!]! - given >= low) picked.push(lightest);
}

interface Run {
  first: number;
  last: number;
  slots: number;
  /** It splits no range of what stays, or lengthens what goes. */
  atEdge: boolean;
}

/** Of all runs that carry what is to go, and at most so much `more`: the one of the fewest slots; null when there is none. */
function shortestRun(
  { task, speck }: Board,
  slots: readonly number[],
  need: number,
  more: number,
  goes: (slot: number) => boolean,
): Run | null {
  const { weights } = task;
  let best: Run | null = null;
  let [end, sum] = [0, 0];
  for (let start = 0; start < slots.length; start += 1) {
    while (end < slots.length && sum < need - speck) {
      sum += weights[slots[end]!]!;
      end += 1;
    }
    if (sum < need - speck) break;
    const [first, last] = [slots[start]!, slots[end - 1]!];
    const atEdge = end === slots.length || goes(first - 1);
    if (sum - need <= more && isShorter({ first, last, slots: end - start, atEdge }, best)) {
      best = { first, last, slots: end - start, atEdge };
    }
    sum -= weights[slots[start]!]!;
  }
  return best;
}

const isShorter = (run: Run, best: Run | null): boolean =>
  best === null || run.slots < best.slots || (run.slots === best.slots && run.atEdge && !best.atEdge);
