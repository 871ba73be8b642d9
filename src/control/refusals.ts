/**
 * Refusals as events: once for each who and why, however often it comes again, and not more than some a minute, so that
 * nobody outside can push the fleet's history out of the log.
 */
import type { NewEvent } from '../domain/event.ts';
import type { Clock } from '../platform/clock.ts';

/** The same refusal is told again after so long. */
const AGAIN_MS = 600_000;
const MOST_A_MINUTE = 20;
const MOST_REMEMBERED = 1_000;

export class Refusals {
  readonly #clock: Clock;
  readonly #record: (event: NewEvent) => void;
  /** When each was told last. */
  readonly #told = new Map<string, number>();
  #minute = 0;
  #inMinute = 0;

  constructor(clock: Clock, record: (event: NewEvent) => void) {
    this.#clock = clock;
    this.#record = record;
  }

  /** @param key who and why; the sentence may differ from time to time */
  note(key: string, event: NewEvent): void {
    const now = this.#clock.now();
    const last = this.#told.get(key);
    if (last !== undefined && now - last < AGAIN_MS) return;
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#minute) [this.#minute, this.#inMinute] = [minute, 0];
    if (this.#inMinute >= MOST_A_MINUTE) return;
    this.#inMinute += 1;
    this.#told.delete(key); // those told last are the last to be forgotten
    this.#told.set(key, now);
    if (this.#told.size > MOST_REMEMBERED) this.#told.delete(this.#told.keys().next().value!);
    this.#record(event);
  }

  /** It is well again: the next refusal is news. */
  forget(prefix: string): void {
    for (const key of this.#told.keys()) if (key.startsWith(prefix)) this.#told.delete(key);
  }
}
