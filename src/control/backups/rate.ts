/** Bytes a second that several streams have together: what is read no faster costs its node, and this process, no more. */
import type { Clock } from '../../platform/clock.ts';

/** So much may go at once after a time of rest, in parts of a second: clients wait for a processor about as long. */
const BURST_SECONDS = 0.01;

export class Rate {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  /** When all that has gone so far is paid for, in milliseconds since the epoch. */
  #paidAt = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** The same chunks, at this pace. */
  async *of(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      await this.#spend(chunk.length);
      yield chunk;
    }
  }

  /** Resolves when so many bytes may go. */
  async #spend(bytes: number): Promise<void> {
    const now = this.#clock.now();
    const from = Math.max(this.#paidAt, now - BURST_SECONDS * 1_000);
    this.#paidAt = from + (bytes / this.#bytesPerSecond) * 1_000;
    if (from > now) await this.#clock.sleep(from - now);
  }
}
