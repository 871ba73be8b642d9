/** Gives what goes to those that take: lumps to whoever lacks most, all else in runs, next to what a shard has already. */
import type { Board } from './board.ts';

/** A slot is placed by itself from this part of the mean on: as one of a run it would be too much for many. */
const LUMP_PART = 0.1;

/**
 * @param going slots, in order
 * @param surplus by shard what it is to give (above 0) or to take (below)
 */
export function deal(board: Board, going: readonly number[], surplus: Float64Array): void {
  const lump = board.frame.mean * LUMP_PART;
  const { weights } = board.task;
  const takers = board.frame.open.filter((shard) => surplus[shard]! < 0);
  const table = new Table(board, takers.length > 0 ? takers : board.frame.open, surplus);
  const lumps = going.filter((slot) => weights[slot]! >= lump);
  for (const slot of lumps.toSorted((a, b) => weights[b]! - weights[a]! || a - b)) table.give(slot, table.neediest());
  for (const run of runsOf(going.filter((slot) => weights[slot]! < lump))) table.giveRun(run);
  table.giveRest();
}

/** Slots next to each other. */
function runsOf(slots: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const slot of slots) {
    const run = runs.at(-1);
    if (run?.at(-1) === slot - 1) run.push(slot);
    else runs.push([slot]);
  }
  return runs;
}

class Table {
  readonly #board: Board;
  readonly #takers: readonly number[];
  /** By shard. */
  readonly #needs = new Map<number, number>();
  /** Slots that would have been too much for the shard whose turn it was. */
  readonly #rest: number[] = [];

  constructor(board: Board, takers: readonly number[], surplus: Float64Array) {
    this.#board = board;
    this.#takers = takers;
    for (const shard of takers) this.#needs.set(shard, -surplus[shard]!);
  }

  give(slot: number, to: number): void {
    this.#needs.set(to, this.#need(to) - this.#board.task.weights[slot]!);
    this.#board.give(slot, to);
  }

  neediest(): number {
    return this.#takers.reduce((most, shard) => (this.#need(shard) > this.#need(most) ? shard : most));
  }

  /** The shard before the run takes from its start, the one behind it from its end, others in between. */
  giveRun(run: readonly number[]): void {
    let left = [...run];
    while (left.length > 0) {
      const [first, last] = [left[0]!, left.at(-1)!];
      const [before, behind] = [this.#board.goal[first - 1], this.#board.goal[last + 1]];
      if (this.#wants(before, first)) left = this.#fill(before, left);
      else if (this.#wants(behind, last)) left = this.#fill(behind, left.reverse()).reverse();
      else left = this.#fill(this.#anyoneFor(first), left);
    }
  }

  giveRest(): void {
    const { weights } = this.#board.task;
    for (const slot of this.#rest.sort((a, b) => weights[b]! - weights[a]! || a - b)) this.give(slot, this.neediest());
  }

  #need(shard: number): number {
    return this.#needs.get(shard) ?? Number.NEGATIVE_INFINITY;
  }

  /** The neediest; when nobody lacks so much, rather whoever has the slot before it. */
  #anyoneFor(slot: number): number {
    const { task, goal, loads, high } = this.#board;
    const [neediest, before] = [this.neediest(), goal[slot - 1]];
    if (before === undefined || !this.#needs.has(before) || this.#wants(neediest, slot)) return neediest;
    return loads[before]! + task.weights[slot]! <= high ? before : neediest;
  }

  /** To the nearest slot. */
  #wants(shard: number | undefined, slot: number): shard is number {
    if (shard === undefined) return false;
    const { task, loads, low, speck } = this.#board;
    const need = this.#need(shard);
    return need > speck && (need > task.weights[slot]! / 2 || loads[shard]! < low - speck);
  }

  /** Gives from the start until the shard has what it needs. @returns what is left */
  #fill(shard: number, slots: readonly number[]): number[] {
    const { task, loads, high } = this.#board;
    for (const [at, slot] of slots.entries()) {
      const weight = task.weights[slot]!;
      // The first goes in any case, so that an end is reached; one without load always does.
      if (at > 0 && weight > 0 && !this.#wants(shard, slot)) return slots.slice(at);
      if (loads[shard]! + weight > high) this.#rest.push(slot);
      else this.give(slot, shard);
    }
    return [];
  }
}
