/**
 * Writers on a host of their own, as a process: plain clients of one endpoint, each a write at a time, tried again until
 * it is acknowledged. Told by lines on standard input:
 *
 *   mark     ends a window and begins the next; answers with what was seen in it, see `WriteWindow`
 *   verify   reads back every acknowledged write; answers with `Verified`
 *
 * It ends with its standard input.
 */

import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

export interface WriterOptions {
  host: string;
  port: number;
  password: string | null;
  writers: number;
  /** Between two writes of one writer. */
  pauseMs: number;
}

/** Times in milliseconds. */
export interface WriteWindow {
  acknowledged: number;
  /** Tries that failed, by message. */
  errors: Record<string, number>;
  /** From the first try of a write to its acknowledgement; of those still waiting, until now. */
  longestWaitMs: number;
}

export interface Verified {
  checked: number;
  lost: number;
}

const RETRY_MS = 20;
const BATCH = 500;

const { host, port, password, writers, pauseMs } = JSON.parse(process.argv[2]!) as WriterOptions;
const acknowledged: string[] = [];
const waiting = new Map<number, number>();
let current: WriteWindow = { acknowledged: 0, errors: {}, longestWaitMs: 0 };

const connection = (): Redis => {
  const client = new Redis({
    ...{ host, port, maxRetriesPerRequest: 0, retryStrategy: () => RETRY_MS },
    ...(password === null ? {} : { password }),
  });
  client.on('error', () => {}); // each command tells its own failure
  return client;
};

async function write(writer: number): Promise<never> {
  const client = connection();
  for (let number = 0; ; number += 1) {
    const key = `reliability:${writer}:${number}`;
    const startedAt = performance.now();
    waiting.set(writer, startedAt);
    for (;;) {
      try {
        await client.set(key, key);
        break;
      } catch (error) {
        const { message } = error as Error;
        current.errors[message] = (current.errors[message] ?? 0) + 1;
        await sleep(RETRY_MS);
      }
    }
    acknowledged.push(key);
    current.acknowledged += 1;
    current.longestWaitMs = Math.max(current.longestWaitMs, performance.now() - startedAt);
    waiting.delete(writer);
    await sleep(pauseMs);
  }
}

function mark(): WriteWindow {
  const now = performance.now();
  const stillMs = [...waiting.values()].map((since) => now - since);
  const window = { ...current, longestWaitMs: Math.max(current.longestWaitMs, ...stillMs) };
  current = { acknowledged: 0, errors: {}, longestWaitMs: 0 };
  return window;
}

async function verify(): Promise<Verified> {
  const client = connection();
  const keys = [...acknowledged];
  let lost = 0;
  for (let at = 0; at < keys.length; at += BATCH) {
    const batch = keys.slice(at, at + BATCH);
    const values = await client.mget(...batch);
    lost += values.filter((value, index) => value !== batch[index]).length;
  }
  client.disconnect();
  return { checked: keys.length, lost };
}

for (let writer = 0; writer < writers; writer += 1) void write(writer);
const lines = createInterface({ input: process.stdin });
console.log(JSON.stringify({ ready: true }));
for await (const line of lines) console.log(JSON.stringify(line === 'verify' ? await verify() : mark()));
process.exit(0);
