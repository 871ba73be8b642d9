/** Act 4: a plain client, which knows one address and nothing of shards, and a primary that is killed under it. */
import type { Redis } from 'ioredis';
import type { DatabaseStatus, EndpointAddress } from '../../domain/status.ts';
import { askNode, UNKNOWN, withPlain } from '../clients.ts';
import { forEachNumber, inSlots } from '../dataset.ts';
import { type Loss, losePrimaryOf } from '../loss.ts';
import { keysLost } from '../read-back.ts';
import type { Act, Outcome, Scene } from '../scene.ts';
import { lacking, primariesOf } from '../shards.ts';
import { pause, until, within } from '../wait.ts';
import { count, duration, plural, tenths } from '../words.ts';
import { Writers } from '../writers.ts';

const KEYS = 10_000;
const MGET_KEYS = 100;
const WRITERS = 8;
const PAUSE_MS = 2;
/** Writing goes on for so long before the kill, and after the shard is whole again, in milliseconds. */
const BEFORE_MS = 1_000;
const AFTER_MS = 1_000;
/** Longest time for a step of the act, in milliseconds. */
const STEP_MS = 30_000;
const CHANNEL = 'news';

const keyOf = (number: number): string => `plain:${number}`;
const valueFor = (number: number): string => `value ${number}`;

/** What the client did while all was well. */
interface Used {
  /** Keys that came to each primary, as its own count tells. */
  keysOfShards: number[];
  writeMs: number;
  /** Values of one MGET that were right. */
  right: number;
  mgetMs: number;
  /** What EXEC answered. */
  exec: unknown[];
  messageMs: number;
}

/** The fourth act. */
export const oneAddress: Act = {
  id: 'one-address',
  title: 'A plain client, and one address',
  sentence: 'Focus more on app development, rather than maintaining data services?',
  play: async (scene) => {
    const whole = await until(scene.show, (seen) => lacking(seen) ?? (seen.endpoint ? null : 'no endpoint serves it'), {
      ...{ what: 'the database and its endpoint', timeoutMs: STEP_MS, signal: scene.signal },
    });
    const endpoint = whole.endpoint!;
    scene.say(
      `new Redis('${endpoint.url}'): the ioredis client for a single server. It has this one address, and knows nothing of shards.`,
    );
    return withPlain(scene, endpoint, async (client) => {
      let closed = 0;
      client.on('close', () => {
        closed += 1;
      });
      const used = await use(scene, whole, endpoint, client);
      const shard = whole.shards[1]!;
      scene.say(`${WRITERS} writers go on through the same client.`);
      const writers = new Writers((key, value) => client.set(key, value), {
        ...{ name: 'through', writers: WRITERS, pauseMs: PAUSE_MS, isWatched: (key) => inSlots(key, shard.slots) },
      });
      try {
        const loss = await losePrimaryOf(scene, shard, writers, BEFORE_MS);
        await pause(AFTER_MS, scene.signal);
        await within(writers.stop(), { what: 'the last writes', timeoutMs: STEP_MS, signal: scene.signal });
        const lost = await within(lostOf(client, writers.acknowledged), {
          ...{ what: 'reading everything back', timeoutMs: STEP_MS, signal: scene.signal },
        });
        return outcome(endpoint, used, loss, writers, lost, closed);
      } finally {
        client.disconnect(); // what still waits fails now
        void writers.stop();
      }
    });
  },
};

/** Writes keys over all shards, reads many at once, runs a transaction and hears a message. */
async function use(scene: Scene, whole: DatabaseStatus, endpoint: EndpointAddress, client: Redis): Promise<Used> {
  const { signal } = scene;
  const step = <T>(what: string, work: Promise<T>): Promise<T> => within(work, { what, timeoutMs: STEP_MS, signal });
  const sizes = (): Promise<number[]> =>
    Promise.all(primariesOf(whole).map((node) => askNode(scene, node, (redis) => redis.dbsize())));
  const before = await step('counting keys', sizes());
  const startedAt = performance.now();
  await step(
    `writing ${count(KEYS)} keys`,
    forEachNumber(signal, async (number) => void (await client.set(keyOf(number), valueFor(number))), KEYS),
  );
  const writeMs = performance.now() - startedAt;
  const after = await step('counting keys', sizes());
  const keysOfShards = after.map((keys, index) => keys - before[index]!);
  scene.say(`It writes ${count(KEYS)} keys: ${keysOfShards.map(count).join(', ')} of them come to the four primaries.`);

  const numbers = Array.from({ length: MGET_KEYS }, (_, index) => index);
  const askedAt = performance.now();
  const values = await step('one MGET', client.mget(numbers.map(keyOf)));
  const mgetMs = performance.now() - askedAt;
  const exec = await step('a transaction', client.multi().set('{cart}:1', 'tea').incr('{cart}:count').exec());
  const messageMs = await step('a message', timeOfMessage(scene, endpoint, client));
  return {
    ...{ keysOfShards, writeMs, mgetMs, messageMs },
    right: values.filter((value, number) => value === valueFor(number)).length,
    exec: (exec ?? []).map(([error, result]) => error ?? result),
  };
}

/** From PUBLISH to its arrival at another plain client, in milliseconds. */
const timeOfMessage = (scene: Scene, endpoint: EndpointAddress, client: Redis): Promise<number> =>
  withPlain(scene, endpoint, async (subscriber) => {
    const arrived = new Promise<void>((resolve) => subscriber.once('message', () => resolve()));
    await subscriber.subscribe(CHANNEL);
    const sentAt = performance.now();
    await client.publish(CHANNEL, 'tea is here');
    await arrived;
    return performance.now() - sentAt;
  });

/** Acknowledged values of this act that are not there any more. */
async function lostOf(client: Redis, acknowledged: ReadonlyMap<string, string>): Promise<number> {
  const expected = new Map(acknowledged);
  for (let number = 0; number < KEYS; number += 1) expected.set(keyOf(number), valueFor(number));
  return (await keysLost(client, expected)).length;
}

function outcome(
  { url }: EndpointAddress,
  used: Used,
  { shard, killed, successor, waitMs, replicaBackMs, writesBefore }: Loss,
  { acknowledged, errors, longestWaitMs }: Writers,
  lost: number,
  connectionsLost: number,
): Outcome {
  const { keysOfShards, writeMs, right, mgetMs, exec, messageMs } = used;
  const others = errors.filter((text) => !text.startsWith(UNKNOWN));
  const unknown = errors.length - others.length;
  const checked = KEYS + acknowledged.size;
  const written = keysOfShards.reduce((sum, keys) => sum + keys, 0);
  return {
    claims: [
      {
        text: `one client, one address: ${count(written)} keys on ${keysOfShards.length} primaries, an MGET of ${MGET_KEYS} keys over all of them, a transaction and a message`,
        held: written === KEYS && keysOfShards.every((keys) => keys > 0) && right === MGET_KEYS && isDone(exec),
      },
      {
        text: `${killed.machine} lost the primary of ${shard}, and the client went on: ${plural(connectionsLost, 'connection')} lost, ${plural(unknown, 'write')} of which nobody knows whether the dead process had made it (${UNKNOWN}), ${plural(others.length, 'other error')}${others.length > 0 ? `: ${others[0]}` : ''}`,
        held: connectionsLost === 0 && others.length === 0,
      },
      {
        text: `${plural(lost, 'acknowledged write')} lost: ${count(checked - lost)} of ${count(checked)} were read back through the same address as written`,
        held: lost === 0,
      },
    ],
    figures: {
      ...{ url, keys: KEYS, keysOfShards, writeMs: tenths(writeMs), mgetKeys: MGET_KEYS, mgetMs: tenths(mgetMs) },
      ...{ messageMs: tenths(messageMs), shard, killed, successor, writers: WRITERS },
      ...{ waitMs: tenths(waitMs), replicaBackMs: tenths(replicaBackMs), longestWriteMs: tenths(longestWaitMs) },
      ...{ acknowledgedWrites: acknowledged.size, acknowledgedBeforeKill: writesBefore },
      ...{ errors: errors.length, unknownOutcomes: unknown, connectionsLost },
      ...{ valuesChecked: checked, acknowledgedWritesLost: lost },
    },
    summary: [
      ['Keys through one address', `${count(KEYS)} in ${duration(writeMs)}`],
      [`MGET of ${MGET_KEYS} keys, message`, `${tenths(mgetMs)} ms, ${tenths(messageMs)} ms`],
      ['Kill to next write', duration(waitMs)],
      ['Slowest write of all', duration(longestWaitMs)],
      ['Errors, connections lost', `${count(errors.length)}, ${count(connectionsLost)}`],
      ['Acknowledged, lost', `${count(lost)} of ${count(checked)}`],
    ],
  };
}

/** SET answered OK and INCR 1. */
const isDone = ([set, incr]: unknown[]): boolean => set === 'OK' && incr === 1;
