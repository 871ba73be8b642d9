/** How long looks take, of all databases together: the figure that tells when one control plane has too many. */
import type { LookTimes } from '../protocol/api.ts';

export class LookTimer {
  #count = 0;
  #totalMs = 0;

  note(durationMs: number): void {
    this.#count += 1;
    this.#totalMs += durationMs;
  }

  /** Sums since the start: two readings give the mean of what lies between them. */
  get times(): LookTimes {
    return { count: this.#count, totalMs: this.#totalMs };
  }
}
