/** Plain clients that write through a database's endpoint, and know afterwards what was acknowledged. */
import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import type { Fleet } from './fleet.ts';

const BATCH = 1_000;

/** A plain client of `main` at the endpoint of its first machine, without second tries. */
export async function plainClient(fleet: Fleet, machine?: string, name = 'main'): Promise<Redis> {
  const { endpoint, endpoints } = await fleet.until(name, (status) => status.endpoint !== null);
  const { host, port } = endpoints.find((one) => one.machine === machine) ?? endpoint!;
  const { password } = (await fleet.cli('db', 'password', name, '--json')).json<{ password: string }>();
  return new Redis({ host, port, password, maxRetriesPerRequest: 0 });
}

/** Writers, one write at a time each, until they are stopped. */
export class Writers {
  readonly acknowledged: string[] = [];
  readonly errors: string[] = [];
  longestMs = 0;
  readonly #client: Redis;
  readonly #running: Promise<void>[];
  #going = true;

  constructor(client: Redis, count: number) {
    this.#client = client;
    this.#running = Array.from({ length: count }, (_, name) => this.#write(name));
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#running);
  }

  /** Every acknowledged write is there. */
  async assertNothingLost(): Promise<void> {
    for (let at = 0; at < this.acknowledged.length; at += BATCH) {
      const keys = this.acknowledged.slice(at, at + BATCH);
      const found = await this.#client.mget(...keys);
      const lost = keys.filter((key, index) => found[index] !== key);
      assert.deepEqual(lost, [], `${lost.length} of ${keys.length} acknowledged writes are lost`);
    }
  }

  async #write(name: number): Promise<void> {
    for (let number = 0; this.#going; number += 1) {
      const key = `w:${name}:${number}`;
      const startedAt = performance.now();
      await this.#client.set(key, key).then(
        () => this.acknowledged.push(key),
        (error: Error) => this.errors.push(error.message),
      );
      this.longestMs = Math.max(this.longestMs, performance.now() - startedAt);
    }
  }
}
