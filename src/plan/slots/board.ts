/** Slots on their way to new owners: who is to own each, and what every shard then carries. */
import { SLOT_COUNT } from '../../domain/slots.ts';

/** Owner of a slot that nobody owns. */
export const NOBODY = -1;

/** What is asked. Shards go by number: first those that are to own slots, then those that are to own none. */
export interface Task {
  /** By slot: the shard that owns it, or NOBODY. */
  present: Int16Array;
  /** By slot: its load, in any unit; 0 where nobody owns it. */
  weights: Float64Array;
  /** The slots with load, the lightest first. */
  byWeight: readonly number[];
  shards: number;
  /** So many of them are to own slots. */
  staying: number;
  /** A part of the mean. */
  tolerance: number;
}

/** Slots too heavy for a share, and what is left to level without them and the shards that have them. */
export interface Frame {
  /** The shard of each such slot; it is to carry nothing else. */
  hot: ReadonlyMap<number, number>;
  /** Shards whose loads are levelled. */
  open: readonly number[];
  /** Load of an open shard if all carried the same. */
  mean: number;
}

/** A spread in the making. Only its own methods change who owns what. */
export class Board {
  /** By slot: the shard that is to own it, or NOBODY. */
  readonly goal: Int16Array;
  /** By shard. */
  readonly loads: Float64Array;
  /** An open shard is to carry at least so much, and at most so much. */
  readonly low: number;
  readonly high: number;
  /** Differences below it are rounding. */
  readonly speck: number;
  readonly task: Task;
  readonly frame: Frame;
  readonly #open: Uint8Array;

  /** @param goal where to begin; the present owners if not given. Hot slots go to their shards in any case. */
  constructor(task: Task, frame: Frame, { goal = task.present, low = frame.mean * (1 - task.tolerance) } = {}) {
    this.task = task;
    this.frame = frame;
    this.low = low;
    this.high = frame.mean * (1 + task.tolerance);
    this.speck = frame.mean * 1e-9;
    this.goal = Int16Array.from(goal);
    this.loads = new Float64Array(task.shards);
    this.#open = new Uint8Array(task.shards);
    for (const shard of frame.open) this.#open[shard] = 1;
    for (const [slot, shard] of frame.hot) this.goal[slot] = shard;
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      const owner = this.goal[slot]!;
      if (owner !== NOBODY) this.loads[owner]! += task.weights[slot]!;
    }
  }

  isOpen(shard: number): boolean {
    return this.#open[shard] === 1;
  }

  /** Every open shard is within the bounds. */
  isLevel(): boolean {
    return this.frame.open.every((shard) => this.beyond(this.loads[shard]!) === 0);
  }

  /** The slot must have an owner. */
  give(slot: number, to: number): void {
    const weight = this.task.weights[slot]!;
    this.loads[this.goal[slot]!]! -= weight;
    this.loads[to]! += weight;
    this.goal[slot] = to;
  }

  /** How far such a load is outside the bounds. */
  beyond(load: number): number {
    const outside = Math.max(load - this.high, this.low - load);
    return outside > this.speck ? outside : 0;
  }

  /** What changes in the weight that moves when the slot goes there from where it is to be so far. */
  costOf(slot: number, to: number): number {
    const home = this.task.present[slot]!;
    const weight = this.task.weights[slot]!;
    return (to === home ? 0 : weight) - (this.goal[slot] === home ? 0 : weight);
  }

  /** By shard: the slots that it is to own so far, in order. */
  slotsByShard(): number[][] {
    const lists = Array.from({ length: this.task.shards }, (): number[] => []);
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      const owner = this.goal[slot]!;
      if (owner !== NOBODY) lists[owner]!.push(slot);
    }
    return lists;
  }

  /** The slots with load of all open shards, the lightest first. */
  levelledSlots(): number[] {
    const { byWeight, weights } = this.task;
    return byWeight.filter((slot) => this.isOpen(this.goal[slot]!) && weights[slot]! > 0);
  }
}
