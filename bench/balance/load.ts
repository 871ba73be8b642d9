/** A load through the endpoints: reads and writes in turn, each client's next when its last is answered. */
import { Redis } from 'ioredis';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { progress } from '../support/report.ts';

const CLIENTS = 24;
const VALUE = 'x'.repeat(100);

/** Reads and writes, as many at once as there are clients. */
export class ZipfLoad {
  longestMs = 0;
  errors = 0;
  #count = 0;
  #isGoing = true;
  readonly #startedAt = performance.now();
  readonly #clients: Redis[];
  readonly #running: Promise<void>[];

  /** Begins at once. @param key the next that is asked for */
  constructor({ endpoints }: DatabaseStatus, password: string | null, key: () => string) {
    const secret = password === null ? {} : { password };
    this.#clients = Array.from({ length: CLIENTS }, (_, at) => {
      const { host, port } = endpoints[at % endpoints.length]!;
      return new Redis({ ...secret, host, port, maxRetriesPerRequest: 0 });
    });
    this.#running = this.#clients.map((client) => this.#run(client, key));
  }

  /** Commands that were answered, on the mean. */
  get perSecond(): number {
    return (this.#count * 1_000) / (performance.now() - this.#startedAt);
  }

  /** Until all are answered. */
  async stop(): Promise<void> {
    this.#isGoing = false;
    await Promise.all(this.#running);
    for (const client of this.#clients) client.disconnect();
  }

  async #run(client: Redis, key: () => string): Promise<void> {
    for (let number = 0; this.#isGoing; number += 1) {
      const sentAt = performance.now();
      try {
        await (number % 2 === 0 ? client.set(key(), VALUE) : client.get(key()));
      } catch (error) {
        this.errors += 1;
        progress(String(error));
      }
      this.#count += 1;
      this.longestMs = Math.max(this.longestMs, performance.now() - sentAt);
    }
  }
}
