/** Reads back what the load has written, while it goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { keySlot } from '../../src/domain/key-slot.ts';
import { kindOf } from '../faults/history.ts';
import type { Way } from './clients.ts';
import { type Finding, isClean, judgeCounter, judgeList, judgeValue, NOTHING, OK, sumOf, Told } from './judge.ts';
import type { Counter, Operation, Round } from './load.ts';

const BATCH = 500;
const READ_TRIES = 50;
const READ_PAUSE_MS = 200;

/** As events are dated. */
const clockTime = (at: number): string => new Date(performance.timeOrigin + at).toISOString();
/** Of what is told one by one. */
const MOST_WORDS = 200;

/** One key of which something is wrong. */
export interface Fault extends Finding {
  way: Way;
  key: string;
  slot: number;
  /** What was sent and answered when, or what the counter was. */
  about: string;
}

export class Check {
  /** The first of them, for whoever looks for the reason. */
  readonly faults: Fault[] = [];
  /** Of reading, by kind. */
  readonly errors: string[] = [];
  readonly #reader: Redis;
  readonly #counters: readonly Counter[];
  readonly #told = new Told();
  /** Is looked at once more when the next round is: what was moved well may yet be lost when it moves again. */
  #former: Round | null = null;

  constructor(reader: Redis, counters: readonly Counter[]) {
    this.#reader = reader;
    this.#counters = counters;
  }

  /** All that the ended round wrote, the round before it, and all counters. What is found is counted once. */
  async round(round: Round): Promise<Record<Way, Finding>> {
    const found: [Way, Finding][] = [];
    for (const { operations } of this.#former === null ? [round] : [this.#former, round]) {
      found.push(...(await this.#values(operations.filter(({ kind }) => kind === 'value'))));
      found.push(...(await this.#lists(operations.filter(({ kind }) => kind === 'list'))));
    }
    found.push(...(await this.#counts()));
    await this.#forget(this.#former);
    this.#former = round;
    const of = (way: Way): Finding => sumOf(found.filter(([one]) => one === way).map(([, finding]) => finding));
    return { endpoint: of('endpoint'), cluster: of('cluster') };
  }

  async #values(operations: readonly Operation[]): Promise<[Way, Finding][]> {
    const found: [Way, Finding][] = [];
    for (let at = 0; at < operations.length; at += BATCH) {
      const some = operations.slice(at, at + BATCH);
      const values = await this.#read((client) => client.mget(...some.map(({ key }) => key)));
      for (const [index, { way, key, value, outcome, sentAt, answeredAt }] of some.entries()) {
        const about = `sent ${clockTime(sentAt)}, ${outcome} ${clockTime(answeredAt!)}, found ${values[index]}`;
        found.push([way, this.#tell(way, key, judgeValue(outcome, value, values[index]!), () => about)]);
      }
    }
    return found;
  }

  async #lists(pushes: readonly Operation[]): Promise<[Way, Finding][]> {
    const byKey = Map.groupBy(pushes, ({ key }) => key);
    const found: [Way, Finding][] = [];
    for (const [key, operations] of byKey) {
      const { way } = operations[0]!;
      const items = await this.#read((client) => client.lrange(key, 0, -1));
      const finding = judgeList(new Map(operations.map(({ value, outcome }) => [value, outcome])), items);
      const about = (): string => {
        const there = new Set(items);
        const missing = operations.filter(({ value, outcome }) => outcome === OK && !there.has(value));
        const again = items.filter((item, index) => items.indexOf(item) !== index);
        const lines = missing.map(({ value, sentAt }) => `${value} sent ${clockTime(sentAt)}`);
        return `of ${operations.length} missing ${lines.join(', ')}; twice ${again.join(', ')}`;
      };
      found.push([way, this.#tell(way, key, finding, about)]);
    }
    return found;
  }

  /** Increments that are on their way, or come between the question and its answer, may be in the value or not. */
  async #counts(): Promise<[Way, Finding][]> {
    const replies = this.#counters.map((counter) => counter.replies.slice());
    const values = await this.#read((client) => client.mget(...this.#counters.map(({ key }) => key)));
    return this.#counters.map(({ way, key, sent, refused }, index) => {
      const acknowledged = replies[index]!;
      const open = sent - refused - acknowledged.length;
      const value = Number(values[index] ?? 0);
      const about = (): string => `${value} with ${acknowledged.length} acknowledged and ${open} open`;
      return [way, this.#tell(way, key, judgeCounter(acknowledged, open, value), about)];
    });
  }

  #tell(way: Way, key: string, now: Finding, about: () => string): Finding {
    if (isClean(now)) return NOTHING;
    const news = this.#told.news(key, now);
    if (!isClean(news) && this.faults.length < MOST_WORDS) {
      this.faults.push({ ...{ way, key, slot: keySlot(key), about: about() }, ...news });
    }
    return news;
  }

  /** Errors are counted; what cannot be read in the end cannot be checked. @throws what the last try threw */
  async #read<T>(ask: (client: Redis) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask(this.#reader);
      } catch (error) {
        this.errors.push(kindOf((error as Error).message));
        if (tries === READ_TRIES) throw error;
        await sleep(READ_PAUSE_MS);
      }
    }
  }

  /** So that a long run does not fill the database. */
  async #forget(round: Round | null): Promise<void> {
    const keys = [...new Set(round?.operations.filter(({ kind }) => kind !== 'counter').map(({ key }) => key))];
    for (let at = 0; at < keys.length; at += BATCH) {
      await this.#read((client) => client.unlink(...keys.slice(at, at + BATCH)));
    }
  }
}

/** Removes so many acknowledged values behind the back of the check, to see that it notices. */
export async function spoil(client: Redis, { operations }: Round, count: number): Promise<void> {
  const acknowledged = operations.filter(({ kind, outcome }) => kind === 'value' && outcome === OK);
  for (const { key } of acknowledged.slice(0, count)) await client.unlink(key);
}
