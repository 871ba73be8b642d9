/** How long things took, in buckets; recording costs a loop over a few numbers and makes nothing. */

/** Upper bounds in milliseconds; what is longer counts in the last, unbounded one. */
export const BOUNDS_MS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const;

export interface HistogramFigures {
  /** One more than there are bounds; each counts its own bucket only. */
  buckets: number[];
  sumMs: number;
}

export class Histogram {
  readonly #buckets = new Float64Array(BOUNDS_MS.length + 1);
  #sumMs = 0;

  record(ms: number): void {
    let index = 0;
    while (index < BOUNDS_MS.length && ms > BOUNDS_MS[index]!) index += 1;
    this.#buckets[index]! += 1;
    this.#sumMs += ms;
  }

  figures(): HistogramFigures {
    return { buckets: [...this.#buckets], sumMs: this.#sumMs };
  }
}

/** One in so many is timed. */
export const SAMPLE_EVERY = 64;
