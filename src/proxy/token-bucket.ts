/** So many bytes a second on average, whoever they come from; what has gone too early is a debt that later ones wait for. */

/** What was not used may be used later, for so long. */
const SAVED_MS = 100;
/** Nobody waits longer for what one large command was too much. */
const LONGEST_DEBT_MS = 1_000;

export class TokenBucket {
  #bytesPerSecond: number;
  /** Bytes that may go at once; below zero, a debt. */
  #credit = 0;
  #at: number;

  /** @param now milliseconds of a monotonic clock, here and below */
  constructor(bytesPerSecond: number, now: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#at = now;
  }

  /** From now on. */
  setRate(bytesPerSecond: number, now: number): void {
    this.#settle(now);
    this.#bytesPerSecond = bytesPerSecond;
    this.#bound();
  }

  /** @returns whether so many may go now: then they have gone */
  takes(bytes: number, now: number): boolean {
    this.#settle(now);
    if (this.#credit < 0) return false;
    this.#credit -= bytes;
    this.#bound();
    return true;
  }

  /** How long until the next may go; 0: now. */
  waitMs(now: number): number {
    this.#settle(now);
    return Math.max(0, (-this.#credit / this.#bytesPerSecond) * 1_000);
  }

  #settle(now: number): void {
    this.#credit += (this.#bytesPerSecond * Math.max(0, now - this.#at)) / 1_000;
    this.#at = now;
    this.#bound();
  }

  #bound(): void {
    const inTime = (ms: number): number => (this.#bytesPerSecond * ms) / 1_000;
    this.#credit = Math.max(-inTime(LONGEST_DEBT_MS), Math.min(inTime(SAVED_MS), this.#credit));
  }
}
