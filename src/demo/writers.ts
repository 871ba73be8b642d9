/** Apps that write without end: new keys with values that no other key has, one after the other each. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WritersOptions {
  /** Their keys begin with it. */
  name: string;
  /** Writers at work beside each other. */
  writers: number;
  /** Pause of each between two writes, in milliseconds. */
  pauseMs: number;
  /** Which keys belong to the shard that is looked at. */
  isWatched: (key: string) => boolean;
}

export class Writers {
  /** Values by key, of each write that was answered with OK. */
  readonly acknowledged = new Map<string, string>();
  /** What the writers were told of writes that failed for good, after the client's own tries. */
  readonly errors: string[] = [];
  /** Between sending a write and its OK, in milliseconds. */
  longestWaitMs = 0;
  readonly #write: (key: string, value: string) => Promise<unknown>;
  readonly #options: WritersOptions;
  readonly #taken = Promise.withResolvers<number>();
  #lostAt = Number.POSITIVE_INFINITY;
  #stopped = false;
  readonly #done: Promise<unknown>;

  /** Begins at once. */
  constructor(write: (key: string, value: string) => Promise<unknown>, options: WritersOptions) {
    this.#write = write;
    this.#options = options;
    this.#done = Promise.all(Array.from({ length: options.writers }, (_, writer) => this.#run(writer)));
  }

  /**
   * From now on the first watched key is awaited. Only writes that are *sent* later count: an earlier one may still
   * have been answered by the process that is lost now.
   * @returns the time, on the clock of `performance.now()`, at which it was accepted
   */
  firstAcceptedFromNow(): Promise<number> {
    this.#lostAt = performance.now();
    return this.#taken.promise;
  }

  /** Resolves when the last write has been answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(writer: number): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      const key = `${this.#options.name}:${writer}:${number}`;
      const value = `value of ${key}`;
      const sentAt = performance.now();
      try {
        await this.#write(key, value);
        const acceptedAt = performance.now();
        this.acknowledged.set(key, value);
        this.longestWaitMs = Math.max(this.longestWaitMs, acceptedAt - sentAt);
        if (sentAt >= this.#lostAt && this.#options.isWatched(key)) this.#taken.resolve(acceptedAt);
      } catch (error) {
        this.errors.push((error as Error).message);
      }
      await sleep(this.#options.pauseMs);
    }
  }
}
