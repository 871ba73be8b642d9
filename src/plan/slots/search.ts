/** The best spread of few slots, by branch and bound: where single slots decide, no rule of thumb comes near enough. */
import type { Board } from './board.ts';

/** Steps of the search at most: some milliseconds. What was found by then counts. */
const MOST_STEPS = 60_000;

/** What a spread is judged by, the first first; less is better. Of one in the making: no way to end it has less. */
interface Worth {
  /** The largest load, or the upper bound if that is more. */
  largest: number;
  /** How far all shards together are outside the bounds. */
  beyond: number;
  /** Weight that moves. */
  moved: number;
  /** Slots that move. */
  slots: number;
}

/**
 * @param board a spread to begin with; stays as it is
 * @param slots with load, of the open shards
 * @returns the owner of each of these slots
 */
export function search(board: Board, slots: readonly number[]): Map<number, number> {
  const { weights } = board.task;
  const sorted = slots.toSorted((a, b) => weights[b]! - weights[a]! || a - b);
  const owners = new Search(board, sorted).best();
  return new Map(sorted.map((slot, at) => [slot, owners[at]!]));
}

class Search {
  readonly #board: Board;
  /** The heaviest first: they decide most. */
  readonly #slots: readonly number[];
  /** From each slot on: the weight of all that are left. */
  readonly #left: number[];
  /** Shards that own none of the slots now; as long as they get none, one is like the other. */
  readonly #blank: ReadonlySet<number>;
  readonly #loads: Float64Array;
  readonly #owners: number[] = [];
  #steps = 0;
  #best: number[];
  #bestWorth: Worth;

  constructor(board: Board, slots: readonly number[]) {
    const { weights, present, shards } = board.task;
    this.#board = board;
    this.#slots = slots;
    this.#left = [...slots, -1].map((_, at) => slots.slice(at).reduce((sum, slot) => sum + weights[slot]!, 0));
    const homes = new Set(slots.map((slot) => present[slot]!));
    this.#blank = new Set(board.frame.open.filter((shard) => !homes.has(shard)));
    this.#loads = new Float64Array(shards);
    this.#best = slots.map((slot) => board.goal[slot]!);
    for (const [at, slot] of slots.entries()) this.#loads[this.#best[at]!]! += weights[slot]!;
    const gone = slots.filter((slot, at) => this.#best[at] !== present[slot]);
    const moved = gone.reduce((sum, slot) => sum + weights[slot]!, 0);
    this.#bestWorth = this.#worth(0, moved, gone.length);
    this.#loads.fill(0);
  }

  /** @returns the owners of the slots, in their order */
  best(): readonly number[] {
    this.#descend(0, 0);
    return this.#best;
  }

  #descend(moved: number, gone: number): void {
    const at = this.#owners.length;
    const worth = this.#worth(this.#left[at]!, moved, gone);
    this.#steps += 1;
    if (this.#steps > MOST_STEPS || !this.#isLess(worth)) return;
    if (at === this.#slots.length) {
      [this.#best, this.#bestWorth] = [[...this.#owners], worth];
      return;
    }
    const slot = this.#slots[at]!;
    const weight = this.#board.task.weights[slot]!;
    const home = this.#board.task.present[slot]!;
    for (const shard of this.#choices(home)) {
      const moves = shard === home ? 0 : 1;
      const before = this.#loads[shard]!;
      this.#loads[shard] = before + weight;
      this.#owners.push(shard);
      this.#descend(moved + moves * weight, gone + moves);
      this.#owners.pop();
      this.#loads[shard] = before;
    }
  }

  /** Its present owner first, then the emptiest. */
  #choices(home: number): number[] {
    const blank = this.#board.frame.open.find((shard) => this.#blank.has(shard) && this.#loads[shard] === 0);
    const choices = this.#board.frame.open.filter(
      (shard) => shard === blank || this.#loads[shard]! > 0 || !this.#blank.has(shard),
    );
    const rank = (shard: number): number => (shard === home ? -1 : this.#loads[shard]!);
    return choices.sort((a, b) => rank(a) - rank(b) || a - b);
  }

  /** @param left what the shards do not carry yet: at best it goes to those that lack it */
  #worth(left: number, moved: number, slots: number): Worth {
    const { frame, high, low } = this.#board;
    let [largest, excess, lack] = [high, 0, 0];
    for (const shard of frame.open) {
      const load = this.#loads[shard]!;
      largest = Math.max(largest, load);
      excess += Math.max(0, load - high);
      lack += Math.max(0, low - load);
    }
    return { largest, beyond: excess + Math.max(0, lack - left), moved, slots };
  }

  #isLess(worth: Worth): boolean {
    for (const key of ['largest', 'beyond', 'moved'] as const) {
      const more = worth[key] - this.#bestWorth[key];
      if (Math.abs(more) > this.#board.speck) return more < 0;
    }
    return worth.slots < this.#bestWorth.slots;
  }
}
