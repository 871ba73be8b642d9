/** A spread made better slot by slot: who is outside the bounds is brought nearer, then what moved needlessly goes back. */
import { type Board, NOBODY } from './board.ts';

interface Change {
  slot: number;
  to: number;
  /** Goes the other way; null when none does. */
  back: number | null;
}

interface Verdict {
  change: Change;
  /** What it changes in the squares of how far both shards are outside the bounds: below 0 is better. */
  penalty: number;
  /** What more of weight moves. */
  cost: number;
  /** The slot comes next to others of its new owner. */
  joins: boolean;
}

/** Slots of others that are looked at, on either side of the weight that would fit best. */
const NEARBY = 8;

/** Brings shards within the bounds, the one furthest outside first, by single slots and exchanges, as long as that helps. */
export function repair(board: Board): void {
  const byWeight = board.levelledSlots();
  const stuck = new Set<number>();
  for (let rounds = 8 * board.frame.open.length + 400; rounds > 0; rounds -= 1) {
    const worst = furthestOutside(board, stuck);
    if (worst === null) return;
    const move = bestOf(board, movesFor(board, worst, byWeight));
    const cured = move !== null && move.penalty <= -(board.beyond(board.loads[worst]!) ** 2) + board.speck ** 2;
    const chosen = cured ? move : bestOf(board, exchangesFor(board, worst, byWeight), move);
    if (chosen === null) stuck.add(worst);
    else {
      apply(board, chosen.change);
      stuck.clear();
    }
  }
}

/** Lets slots go back to their present owners, the heaviest first, where nobody gets further outside the bounds by it. */
export function takeBack(board: Board): void {
  const { present } = board.task;
  for (const slot of board.levelledSlots().reverse()) {
    const home = present[slot]!;
    if (board.goal[slot] === home || !board.isOpen(home)) continue;
    if (judge(board, { slot, to: home, back: null }).penalty <= 0) board.give(slot, home);
  }
}

function furthestOutside(board: Board, stuck: ReadonlySet<number>): number | null {
  let [worst, most]: [number | null, number] = [null, 0];
  for (const shard of board.frame.open) {
    const beyond = board.beyond(board.loads[shard]!);
    if (beyond > most && !stuck.has(shard)) [worst, most] = [shard, beyond];
  }
  return worst;
}

/** Single slots that a shard with too little could get, or one with too much give. */
const movesFor = (board: Board, shard: number, byWeight: readonly number[]): Iterable<Change> =>
  board.loads[shard]! < board.low ? takingsFor(board, shard, byWeight) : givingsFor(board, shard, byWeight);

/** Slots of others: from the lightest that is enough on, until it would be too much; then those that are not enough. */
function* takingsFor(board: Board, to: number, byWeight: readonly number[]): Generator<Change> {
  const { goal, loads, low, high } = board;
  const { weights } = board.task;
  const missing = low - loads[to]!;
  const start = firstFrom(byWeight, weights, missing);
  let enough = 0;
  for (let at = start; at < byWeight.length && enough < NEARBY; at += 1) {
    const slot = byWeight[at]!;
    if (loads[to]! + weights[slot]! - high > missing) break;
    if (goal[slot] === to) continue;
    if (loads[goal[slot]!]! - weights[slot]! >= low) enough += 1;
    yield { slot, to, back: null };
  }
  for (let [at, seen] = [start - 1, 0]; at >= 0 && seen < NEARBY; at -= 1) {
    const slot = byWeight[at]!;
    if (goal[slot] === to) continue;
    if (loads[goal[slot]!]! > low) seen += 1;
    yield { slot, to, back: null };
  }
}

/** Its own slots: back to their present owners, to neighbours, or to the emptiest. */
function* givingsFor(board: Board, shard: number, byWeight: readonly number[]): Generator<Change> {
  const { goal, loads, frame, task } = board;
  const emptiest = frame.open.reduce((least, one) => (loads[one]! < loads[least]! ? one : least));
  for (const slot of byWeight) {
    if (goal[slot] !== shard) continue;
    for (const to of new Set([emptiest, task.present[slot]!, goal[slot - 1], goal[slot + 1]])) {
      if (to !== undefined && to !== NOBODY && to !== shard && board.isOpen(to)) yield { slot, to, back: null };
    }
  }
}

/** Each slot of the shard against slots of others by which the shard would just come within the bounds. */
function* exchangesFor(board: Board, shard: number, byWeight: readonly number[]): Generator<Change> {
  const { goal, loads, low, high } = board;
  const { weights } = board.task;
  const excess = loads[shard]! > high ? loads[shard]! - high : loads[shard]! - low;
  for (const slot of byWeight) {
    if (goal[slot] !== shard) continue;
    const at = firstFrom(byWeight, weights, weights[slot]! - excess);
    for (const step of [-1, 1]) {
      let seen = 0;
      for (let near = step < 0 ? at - 1 : at; near >= 0 && near < byWeight.length && seen < NEARBY; near += step) {
        const back = byWeight[near]!;
        if (goal[back] === shard) continue;
        seen += 1;
        yield { slot, to: goal[back]!, back };
      }
    }
  }
}

/** The first place whose slot weighs at least so much. */
function firstFrom(byWeight: readonly number[], weights: Float64Array, weight: number): number {
  let [from, to] = [0, byWeight.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (weights[byWeight[middle]!]! < weight) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The best of the changes that help; null when none does. */
function bestOf(board: Board, changes: Iterable<Change>, start: Verdict | null = null): Verdict | null {
  const same = board.speck ** 2;
  let best = start;
  for (const change of changes) {
    const verdict = judge(board, change);
    if (verdict.penalty < -same && (best === null || isBetter(verdict, best, same, board.speck))) best = verdict;
  }
  return best;
}

function isBetter(one: Verdict, other: Verdict, same: number, speck: number): boolean {
  if (Math.abs(one.penalty - other.penalty) > same) return one.penalty < other.penalty;
  if (Math.abs(one.cost - other.cost) > speck) return one.cost < other.cost;
  return one.joins && !other.joins;
}

function judge(board: Board, change: Change): Verdict {
  const { goal, loads } = board;
  const { weights } = board.task;
  const { slot, to, back } = change;
  const from = goal[slot]!;
  const shift = weights[slot]! - (back === null ? 0 : weights[back]!);
  const squares = (gone: number): number =>
    board.beyond(loads[from]! - gone) ** 2 + board.beyond(loads[to]! + gone) ** 2;
  return {
    change,
    penalty: squares(shift) - squares(0),
    cost: board.costOf(slot, to) + (back === null ? 0 : board.costOf(back, from)),
    joins: goal[slot - 1] === to || goal[slot + 1] === to,
  };
}

function apply(board: Board, { slot, to, back }: Change): void {
  const from = board.goal[slot]!;
  board.give(slot, to);
  if (back !== null) board.give(back, from);
}
