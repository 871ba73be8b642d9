/** How long commands were held back for a node until it took them: the longest of late, so that a failover can say what it cost. */

/** Waits that ended longer ago belong to something else. */
const KEPT_MS = 10_000;

interface Wait {
  ms: number;
  endedAt: number;
}

export class Waits {
  readonly #longest = new Map<number, Wait>();

  /** A command was sent to the node with this index at last. @param now milliseconds of the monotonic clock */
  ended(index: number, ms: number, now: number): void {
    if (ms >= this.longest(index, now)) this.#longest.set(index, { ms, endedAt: now });
  }

  /** Milliseconds; 0 when none waited. */
  longest(index: number, now: number): number {
    const wait = this.#longest.get(index);
    return wait === undefined || now - wait.endedAt > KEPT_MS ? 0 : wait.ms;
  }
}
