/**
 * The load, a process of its own: writes that become due by the clock, whether or not earlier ones were answered, each to
 * a key of its own with a value of its own. Told by lines of JSON on standard input, one answer a line; see `LoadOrder`.
 * It ends with its standard input.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './clock.ts';
import { kindOf, type ReadBack, UNANSWERED, type Write } from './history.ts';
import { loadClient, type Target } from './load-client.ts';

/**
 * `begin`: write to these hash tags in turn, each the list of a shard's. `accepted`: when a write to the shard is acknowledged that was sent after the moment; null when none is in time. `end`: send no more, wait for answers
 * so long, and hand over the history. `verify`: read back what that history says; `spoil` so many of the values first, to
 * see that it is noticed.
 */
export type LoadOrder =
  | { order: 'begin'; prefix: string; perSecond: number; tags: string[][] }
  | { order: 'accepted'; shard: number; after: number; withinMs: number }
  | { order: 'end'; withinMs: number }
  | { order: 'verify'; spoil: number };

const TICK_MS = 1;
/** Writes without an answer; beyond it none are sent until some are answered. */
const MAX_UNANSWERED = 200_000;
const BATCH = 500;
const READ_TRIES = 100;
const READ_PAUSE_MS = 100;

interface Attempt extends Write {
  key: string;
  value: string;
}

const client = loadClient(JSON.parse(process.argv[2]!) as Target);
let attempts: Attempt[] = [];
let unanswered = 0;
let timer: NodeJS.Timeout | null = null;
let watch: ((attempt: Attempt) => void) | null = null;

function begin({ prefix, perSecond, tags }: Extract<LoadOrder, { order: 'begin' }>): null {
  attempts = [];
  unanswered = 0;
  const current = attempts;
  const startedAt = nowMs();
  const send = (): void => {
    const number = current.length;
    const shard = number % tags.length;
    const ofShard = tags[shard]!;
    const tag = ofShard[Math.floor(number / tags.length) % ofShard.length]!;
    const key = `${prefix}:{${tag}}:${number}`;
    const attempt: Attempt = {
      ...{ shard, key, value: `value of ${key}`, sentAt: nowMs(), answeredAt: null, outcome: UNANSWERED },
    };
    current.push(attempt);
    unanswered += 1;
    const answered = (outcome: string): void => {
      if (current !== attempts) return; // of a repetition that is over, and told as unanswered
      attempt.answeredAt = nowMs();
      attempt.outcome = outcome;
      unanswered -= 1;
      watch?.(attempt);
    };
    client.write(key, attempt.value).then(
      () => answered('ok'),
      (error: Error) => answered(kindOf(error.message)),
    );
  };
  timer = setInterval(() => {
    const due = Math.floor(((nowMs() - startedAt) * perSecond) / 1000);
    while (current.length < due && unanswered < MAX_UNANSWERED) send();
  }, TICK_MS);
  return null;
}

function accepted({ shard, after, withinMs }: Extract<LoadOrder, { order: 'accepted' }>): Promise<number | null> {
  const fits = (one: Attempt): boolean => one.outcome === 'ok' && one.sentAt >= after && one.shard === shard;
  const already = attempts.find(fits);
  if (already) return Promise.resolve(already.answeredAt);
  return new Promise((resolve) => {
    const end = (at: number | null): void => {
      clearTimeout(late);
      watch = null;
      resolve(at);
    };
    const late = setTimeout(() => end(null), withinMs);
    watch = (one) => {
      if (fits(one)) end(one.answeredAt);
    };
  });
}

/** The history as `Write`s, each an array to be short: shard, sent, answered, outcome. */
async function end({ withinMs }: Extract<LoadOrder, { order: 'end' }>): Promise<unknown[][]> {
  clearInterval(timer!);
  const deadline = nowMs() + withinMs;
  while (unanswered > 0 && nowMs() < deadline) await sleep(TICK_MS);
  const over = attempts;
  attempts = over.map((attempt) => ({ ...attempt })); // what is answered now is too late
  return attempts.map(({ shard, sentAt, answeredAt, outcome }) => [shard, sentAt, answeredAt, outcome]);
}

async function verify({ spoil }: Extract<LoadOrder, { order: 'verify' }>): Promise<ReadBack> {
  const found: ReadBack = { lost: [], carriedOut: [] };
  const places = new Map<string, number[]>();
  for (const [place, { key }] of attempts.entries()) {
    const tag = /\{(.*)\}/.exec(key)![1]!;
    places.set(tag, [...(places.get(tag) ?? []), place]);
  }
  const spoiled = attempts.filter(({ outcome }) => outcome === 'ok').slice(0, spoil);
  for (const { key } of spoiled) await client.remove([key]);
  for (const all of places.values()) {
    for (let at = 0; at < all.length; at += BATCH) {
      const some = all.slice(at, at + BATCH);
      const keys = some.map((place) => attempts[place]!.key);
      const values = await patiently(() => client.read(keys));
      for (const [index, place] of some.entries()) {
        const { outcome, value } = attempts[place]!;
        const isThere = values[index] === value;
        if (outcome === 'ok' ? !isThere : isThere) found[outcome === 'ok' ? 'lost' : 'carriedOut'].push(place);
      }
      await patiently(() => client.remove(keys));
    }
  }
  return found;
}

/** A client that has just lost its connection is given time to come back. @throws what the last try threw */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (tries === READ_TRIES) throw error;
      await sleep(READ_PAUSE_MS);
    }
  }
}

const answer = (order: LoadOrder): unknown => {
  if (order.order === 'begin') return begin(order);
  if (order.order === 'accepted') return accepted(order);
  if (order.order === 'end') return end(order);
  return verify(order);
};
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line) as LoadOrder)));
}
client.close();
process.exit(0);
