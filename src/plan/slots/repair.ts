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

/** Changes that are tried beside one for each shard. */
const MORE_ROUNDS = 60;
/** Slots of others that are looked at, on either side of the weight that would fit best. */
const NEARBY = 8;
/** Slots of its own that a shard may give or exchange at a time. */
const MOST_OWN = 64;

/** Brings shards within the bounds, the one furthest outside first, by single slots and exchanges, as long as that helps. */
export function repair(board: Board): void {
  if (board.isLevel()) return;
  const shelves = new Shelves(board);
  const stuck = new Set<number>();
  for (let rounds = board.frame.open.length + MORE_ROUNDS; rounds > 0; rounds -= 1) {
    const worst = furthestOutside(board, stuck);
    if (worst === null) return;
    const move = bestOf(board, movesFor(board, worst, shelves));
    const cured = move !== null && move.penalty <= -(board.beyond(board.loads[worst]!) ** 2) + board.speck ** 2;
    const chosen = cured ? move : bestOf(board, exchangesFor(board, worst, shelves), move);
    if (chosen === null) stuck.add(worst);
    else shelves.apply(chosen.change);
  }
}

/** The slots with load of the open shards, the lightest first. */
class Shelves {
  readonly all: readonly number[];
  readonly #board: Board;
  readonly #own: number[][];

  constructor(board: Board) {
    this.#board = board;
    this.all = board.levelledSlots();
    this.#own = Array.from({ length: board.task.shards }, () => []);
    for (const slot of this.all) this.#own[board.goal[slot]!]!.push(slot);
  }

  of(shard: number): readonly number[] {
    return this.#own[shard]!;
  }

  apply({ slot, to, back }: Change): void {
    const from = this.#board.goal[slot]!;
    this.#move(slot, from, to);
    if (back !== null) this.#move(back, to, from);
  }

  /** The first place in the list whose slot weighs at least so much. */
  firstFrom(list: readonly number[], weight: number): number {
    const { weights } = this.#board.task;
    let [from, to] = [0, list.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (weights[list[middle]!]! < weight) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #move(slot: number, from: number, to: number): void {
    const [giving, taking] = [this.#own[from]!, this.#own[to]!];
    giving.splice(giving.indexOf(slot), 1);
    taking.splice(this.firstFrom(taking, this.#board.task.weights[slot]!), 0, slot);
    this.#board.give(slot, to);
  }
}

/** Lets slots go back to their present owners, the heaviest first, where both shards stay within the bounds by it. */
export function takeBack(board: Board): void {
  const { goal, loads, task, low, high } = board;
  for (const slot of board.levelledSlots().reverse()) {
    const [owner, home, weight] = [goal[slot]!, task.present[slot]!, task.weights[slot]!];
    if (owner === home || !board.isOpen(home)) continue;
    if (loads[owner]! - weight >= low && loads[home]! + weight <= high) board.give(slot, home);
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
const movesFor = (board: Board, shard: number, shelves: Shelves): Iterable<Change> =>
  board.loads[shard]! < board.low ? takingsFor(board, shard, shelves) : givingsFor(board, shard, shelves);

/** Slots about as heavy as what is missing, of every shard that has something to spare. */
function* takingsFor({ loads, low, frame }: Board, to: number, shelves: Shelves): Generator<Change> {
  for (const donor of frame.open) {
    if (donor === to || loads[donor]! <= low) continue;
    const own = shelves.of(donor);
    const start = shelves.firstFrom(own, low - loads[to]!);
    for (const slot of own.slice(Math.max(0, start - 2), start + 2)) yield { slot, to, back: null };
  }
}

/** Its own slots about as heavy as what is too much: back to their present owners, to neighbours, or to the emptiest. */
function* givingsFor(board: Board, shard: number, shelves: Shelves): Generator<Change> {
  const { goal, loads, high, frame, task } = board;
  const emptiest = frame.open.reduce((least, one) => (loads[one]! < loads[least]! ? one : least));
  const own = shelves.of(shard);
  const start = shelves.firstFrom(own, loads[shard]! - high);
  for (const slot of own.slice(Math.max(0, start - MOST_OWN / 2), start + MOST_OWN / 2)) {
    for (const to of new Set([emptiest, task.present[slot]!, goal[slot - 1], goal[slot + 1]])) {
      if (to !== undefined && to !== NOBODY && to !== shard && board.isOpen(to)) yield { slot, to, back: null };
    }
  }
}

/** Slots of the shard against slots of others by which the shard would just come within the bounds. */
function* exchangesFor(board: Board, shard: number, shelves: Shelves): Generator<Change> {
  const { goal, loads, low, high, task } = board;
  const excess = loads[shard]! > high ? loads[shard]! - high : loads[shard]! - low;
  const own = shelves.of(shard);
  const stride = Math.ceil(own.length / MOST_OWN);
  // The heaviest are among them.
  for (let nth = own.length - 1; nth >= 0; nth -= stride) {
    const slot = own[nth]!;
    const at = shelves.firstFrom(shelves.all, task.weights[slot]! - excess);
    for (const step of [-1, 1]) {
      let seen = 0;
      for (let near = step < 0 ? at - 1 : at; near >= 0 && near < shelves.all.length && seen < NEARBY; near += step) {
        const back = shelves.all[near]!;
        if (goal[back] === shard) continue;
        seen += 1;
        yield { slot, to: goal[back]!, back };
      }
    }
  }
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
