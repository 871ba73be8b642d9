/**
 * Virtual time: a queue of what happens when. Time jumps from one happening to the next; what happens at the same time
 * happens in the order in which it was planned, so that a seed always gives the same run.
 */
import type { EndTimer } from '../../src/platform/clock.ts';

interface Happening {
  at: number;
  order: number;
  run: (() => void) | null;
}

/**
 * Between two immediate callbacks Node lets all promises go on that can, and real code here waits for nothing but virtual
 * time and modelled answers. So many callbacks are asked for at once: a round of the event loop costs more than a look.
 */
const TURNS = 64;

const before = (a: Happening, b: Happening): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class Timeline {
  /** Milliseconds since the epoch; with fractions. */
  now: number;
  /** Happenings so far. */
  count = 0;
  /** A binary heap, the next one first. */
  readonly #heap: Happening[] = [];
  #order = 0;
  #woken = false;

  constructor(start: number) {
    this.now = start;
  }

  /** Plans `run` for `delayMs` from now. */
  after(delayMs: number, run: () => void): EndTimer {
    const happening: Happening = { at: this.now + Math.max(0, delayMs), order: this.#order++, run };
    this.#push(happening);
    return () => {
      happening.run = null;
    };
  }

  /** Plans `run` again and again until it returns false. */
  every(intervalMs: number, firstMs: number, run: () => boolean): void {
    const again = (): void => {
      if (run()) this.after(intervalMs, again);
    };
    this.after(firstMs, again);
  }

  /** Real code got something to do: time stands still until it has done it. */
  woke(): void {
    this.#woken = true;
  }

  /** Lets things happen until `isOver`, asked after each, or until nothing is planned any more. */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let ended = false;
      let turns = 0;
      const turn = (): void => {
        turns -= 1;
        if (ended) return;
        try {
          ended = !this.#untilWoken(isOver);
        } catch (error) {
          ended = true;
          reject(error);
          return;
        }
        if (ended) resolve();
        else if (turns === 0) takeTurns();
      };
      const takeTurns = (): void => {
        for (turns = 0; turns < TURNS; turns += 1) setImmediate(turn);
      };
      takeTurns();
    });
  }

  /** @returns false when all is over, true when real code has something to do first */
  #untilWoken(isOver: () => boolean): boolean {
    if (this.#woken) {
      this.#woken = false;
      if (isOver()) return false;
    }
    for (let next = this.#pop(); next; next = this.#pop()) {
      if (!next.run) continue;
      this.now = next.at;
      this.count += 1;
      next.run();
      if (this.#woken) return true;
      if (isOver()) return false;
    }
    return false;
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(happening, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = happening;
  }

  #pop(): Happening | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
