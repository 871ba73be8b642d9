/**
 * Clients, as a process that can be on any host: plain clients of endpoints that connect again by themselves, each with
 * one operation at a time, all of it written to a history before it is sent and when it is answered. The first argument
 * is `ClientOptions`, as JSON. A line on standard input lets them finish, and ends the process.
 */
import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Random } from '../sim/random.ts';
import { type ClientOptions, SHARED } from './client-options.ts';
import { type Action, type BeginLine, type EndLine, nowMs } from './history.ts';

const options = JSON.parse(process.argv[2]!) as ClientOptions;
type Database = ClientOptions['databases'][number];

const CONNECT_MS = 2_000;
const RETRY_MS = 50;
/** Keys of its own that a worker may read or delete later. */
const OWN_KEYS = 20;

const file = openSync(options.file, 'a');
/** In the page cache when it returns, so that it outlives this process. */
const note = (line: BeginLine | EndLine): void => void writeSync(file, `${JSON.stringify(line)}\n`);

let stopping = false;
let operations = 0;

class Worker {
  readonly #database: Database;
  readonly #random: Random;
  readonly #name: string;
  readonly #own: string[] = [];
  #endpoint: number;
  #redis: Redis | null = null;

  constructor(database: Database, number: number) {
    this.#database = database;
    this.#name = `${options.client}-${database.name}-${number}`;
    this.#random = new Random((Math.imul(options.seed, 31) + number * 7_919 + options.client.length) >>> 0);
    this.#endpoint = number;
  }

  async run(): Promise<void> {
    while (!stopping) {
      const redis = await this.#connected();
      if (redis) await this.#operate(redis, this.#next());
      await sleep(redis ? options.pauseMs : RETRY_MS);
    }
    this.#redis?.disconnect();
  }

  /** A connection, to the next endpoint where the last one did not take it. */
  async #connected(): Promise<Redis | null> {
    if (this.#redis?.status === 'ready') return this.#redis;
    const { endpoints, password } = this.#database;
    const address = endpoints[this.#endpoint % endpoints.length]!;
    const redis = new Redis({
      ...address,
      ...(password === null ? {} : { password }),
      ...{ lazyConnect: true, connectTimeout: CONNECT_MS, commandTimeout: options.timeoutMs },
      // Nothing is ever sent twice, and nothing waits in the library: what it was told is what happened.
      ...{ retryStrategy: () => null, enableOfflineQueue: false, autoResendUnfulfilledCommands: false },
      ...{ maxRetriesPerRequest: 0, enableReadyCheck: false },
    });
    redis.on('error', () => {}); // each operation tells its own failure
    this.#redis = redis;
    try {
      await redis.connect();
      return redis;
    } catch {
      redis.disconnect();
      this.#redis = null;
      this.#endpoint += 1;
      return null;
    }
  }

  #next(): Action {
    const random = this.#random;
    const shared = (what: keyof typeof SHARED): string => `r${options.round}:${what}:${random.below(SHARED[what])}`;
    const value = `${this.#name}.${operations}`;
    const roll = random.next();
    if (roll < 0.2) {
      const key = `r${options.round}:own:${value}`;
      this.#own.push(key);
      if (this.#own.length > OWN_KEYS) this.#own.shift();
      return { kind: 'set', key, value };
    }
    if (roll < 0.3 && this.#own.length > 0) return { kind: 'get', key: random.pick(this.#own) };
    if (roll < 0.34 && this.#own.length > 0) return { kind: 'del', key: random.pick(this.#own) };
    if (roll < 0.5) return { kind: 'set', key: shared('registers'), value };
    if (roll < 0.66) return { kind: 'get', key: shared('registers') };
    if (roll < 0.7) return { kind: 'del', key: shared('registers') };
    if (roll < 0.85) return { kind: 'incr', key: shared('counters') };
    return { kind: 'push', key: shared('lists'), value };
  }

  async #operate(redis: Redis, action: Action): Promise<void> {
    const id = `${this.#name}.${operations}`;
    operations += 1;
    note({ begin: id, atMs: nowMs(), database: this.#database.name, ...action });
    try {
      const result = await send(redis, action);
      note({ end: id, atMs: nowMs(), outcome: 'ok', result });
    } catch (error) {
      const { message } = error as Error;
      note({ end: id, atMs: nowMs(), outcome: outcomeOf(error as Error), error: message });
      if (isReply(error as Error)) return;
      redis.disconnect();
      this.#redis = null; // it may be a while until it knows that it has ended
      this.#endpoint += 1;
    }
  }
}

function send(redis: Redis, action: Action): Promise<string | number | null> {
  switch (action.kind) {
    case 'set':
      return redis.set(action.key, action.value);
    case 'get':
      return redis.get(action.key);
    case 'del':
      return redis.del(action.key);
    case 'incr':
      return redis.incr(action.key);
    case 'push':
      return redis.rpush(action.key, action.value);
  }
}

const isReply = ({ name }: Error): boolean => name === 'ReplyError';

/** An error that the server answers says that nothing was done, but for the one that says that it cannot tell. */
function outcomeOf(error: Error): 'failed' | 'unknown' {
  if (isReply(error)) return error.message.startsWith('UNKNOWNOUTCOME') ? 'unknown' : 'failed';
  return error.message.startsWith("Stream isn't writeable") ? 'failed' : 'unknown';
}

const workers = options.databases.flatMap((database) =>
  Array.from({ length: options.workers }, (_, number) => new Worker(database, number).run()),
);
console.log('ready');
createInterface({ input: process.stdin }).once('line', () => {
  stopping = true;
});
process.stdin.once('end', () => {
  stopping = true;
});
await Promise.all(workers);
process.exit(0);
