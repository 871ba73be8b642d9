/** Clients that write through an endpoint without a pause, and remember what was acknowledged. */
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { eventually } from './servers.ts';

const CLIENTS = 4;
/** Keys of one client, over all slots. */
const KEYS = 50;
const RETRY_MS = 10;

export interface LoadResult {
  acknowledged: number;
  failed: number;
  /** Why, the first time; '' when none failed. */
  firstFailure: string;
  /** The longest time in which no write of a client was acknowledged, in ms. */
  longestGapMs: number;
}

export interface WriteLoad {
  /** Writes acknowledged until now. */
  readonly acknowledged: number;
  /** Ends it. @throws Error when a value is not there as it was acknowledged last, or later */
  end(): Promise<LoadResult>;
}

/** Begins to write once the endpoint serves; every value is greater than the one before it of the same key. */
export async function startLoad(t: Pick<TestContext, 'after'>, host: string, port: number): Promise<WriteLoad> {
  let over = false;
  let failed = 0;
  let firstFailure = '';
  let acknowledged = 0;
  let longestGapMs = 0;
  const last = new Map<string, number>();
  const clients = Array.from({ length: CLIENTS }, () => {
    const client = new Redis(port, host, { retryStrategy: () => RETRY_MS, maxRetriesPerRequest: 0 });
    client.on('error', () => {}); // counted where a write fails
    return client;
  });
  const write = async (client: Redis, number: number): Promise<void> => {
    let lastAtMs = performance.now();
    for (let value = 1; !over; value += 1) {
      const key = `load:${number}:${value % KEYS}`;
      try {
        await client.set(key, value);
        last.set(key, value);
        acknowledged += 1;
        longestGapMs = Math.max(longestGapMs, performance.now() - lastAtMs);
        lastAtMs = performance.now();
      } catch (error) {
        firstFailure ||= String(error);
        failed += 1;
        await pause(RETRY_MS);
      }
    }
  };
  t.after(() => {
    over = true;
    for (const client of clients) client.disconnect();
  });
  await eventually('the endpoint', async () => (await clients[0]!.ping()) === 'PONG');
  const writers = clients.map(write);
  return {
    get acknowledged() {
      return acknowledged;
    },
    end: async () => {
      over = true;
      await Promise.all(writers);
      const reader = clients[0]!;
      for (const [key, value] of last) {
        const found = Number(await reader.get(key));
        if (!(found >= value)) throw new Error(`${key} is ${found}, acknowledged was ${value}`);
      }
      for (const client of clients) client.disconnect();
      return { acknowledged, failed, firstFailure, longestGapMs: Math.round(longestGapMs) };
    },
  };
}
