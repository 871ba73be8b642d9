/** A writer that knows, for every second, what a database had at its end: for restores to a moment. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/** Nothing is under way around the turn of a second: in which of the two a command was done, nobody could say. */
const FROM_MS = 150;
const TO_MS = 700;
const KEYS = 60;
const PREFIX = 'timed:';

export class TimedWriter {
  readonly #client: Redis;
  readonly #now = new Map<string, string>();
  /** By second: what there was at its end. */
  readonly #then = new Map<number, ReadonlyMap<string, string>>();
  #count = 0;

  constructor(client: Redis) {
    this.#client = client;
  }

  /** Writes throughout so many whole seconds. @returns the last of them */
  async during(seconds: number): Promise<number> {
    let second = 0;
    for (let left = seconds; left > 0; left -= 1) {
      await pause(1_000 - (Date.now() % 1_000) + FROM_MS);
      second = Math.floor(Date.now() / 1_000);
      while (Math.floor(Date.now() / 1_000) === second && Date.now() % 1_000 < TO_MS) await this.#write(second);
      if (Math.floor(Date.now() / 1_000) !== second) throw new Error(`a write took longer than the second ${second}`);
      this.#then.set(second, new Map(this.#now));
    }
    return second;
  }

  /** What there was at the end of the second: of the last one in which something was written by then. */
  at(second: number): ReadonlyMap<string, string> {
    const last = Math.max(...[...this.#then.keys()].filter((one) => one <= second));
    return this.#then.get(last) ?? new Map();
  }

  async #write(second: number): Promise<void> {
    const number = this.#count++;
    const key = `${PREFIX}${number % KEYS}`;
    switch (number % 7) {
      case 0:
        await this.#client.del(key);
        this.#now.delete(key);
        break;
      case 1: {
        const both = { [`{${key}}a`]: `${second}`, [`{${key}}b`]: `#TS:${second + 1_000}\r\n` };
        await this.#client.multi().mset(both).exec();
        for (const [name, value] of Object.entries(both)) this.#now.set(name, value);
        break;
      }
      default: {
        const value = `${second}:${number}`;
        await this.#client.set(key, value);
        this.#now.set(key, value);
      }
    }
  }
}

/** What a node's keys say of a timed writer. */
export async function timedContent(nodes: readonly Redis[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const node of nodes) {
    for (const key of (await node.keys('*')).filter((one) => one.includes(PREFIX))) {
      if (found.has(key)) throw new Error(`two nodes have ${key}`);
      found.set(key, (await node.get(key)) ?? '');
    }
  }
  return found;
}
