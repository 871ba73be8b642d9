/** Act 5: the database gets more shards and then fewer, while apps write through one address. */
import type { Redis } from 'ioredis';
import { countSlots } from '../../domain/slots.ts';
import type { DatabaseStatus } from '../../domain/status.ts';
import { withPlain } from '../clients.ts';
import { keysLost } from '../read-back.ts';
import type { Act, Outcome, Scene } from '../scene.ts';
import { lacking, primariesOf } from '../shards.ts';
import { pause, until, within } from '../wait.ts';
import { count, duration, plural, tenths } from '../words.ts';
import { Writers } from '../writers.ts';

const WRITERS = 8;
const PAUSE_MS = 2;
const MORE = 2;
/** Writing goes on for so long before and after the changes, in milliseconds. */
const AROUND_MS = 1_000;
/** Longest time for a step of the act, in milliseconds. */
const STEP_MS = 90_000;

interface Change {
  from: number;
  to: number;
  tookMs: number;
  slotsOfShards: number[];
}

/** The fifth act. */
export const reshard: Act = {
  id: 'reshard',
  title: 'More shards, and fewer, under writes',
  sentence:
    'If our dataset grows, and our servers are running out of memory, we can re-shard it into smaller chunks and add scale out our cluster.',
  play: async (scene) => {
    const whole = await until(scene.show, (seen) => lacking(seen) ?? (seen.endpoint ? null : 'no endpoint serves it'), {
      ...{ what: 'the database and its endpoint', timeoutMs: STEP_MS, signal: scene.signal },
    });
    const shards = whole.shards.length;
    scene.say(`${WRITERS} writers go on through one address, while slots move with all that is in them.`);
    return withPlain(scene, whole.endpoint!, async (client) => {
      const writers = new Writers((key, value) => client.set(key, value), {
        ...{ name: 'moving', writers: WRITERS, pauseMs: PAUSE_MS, isWatched: () => false },
      });
      try {
        await pause(AROUND_MS, scene.signal);
        const changes = [await change(scene, shards, shards + MORE), await change(scene, shards + MORE, shards)];
        await pause(AROUND_MS, scene.signal);
        await within(writers.stop(), { what: 'the last writes', timeoutMs: STEP_MS, signal: scene.signal });
        const lost = await within(lostOf(client, writers), {
          ...{ what: 'reading everything back', timeoutMs: STEP_MS, signal: scene.signal },
        });
        return outcome(changes, writers, lost);
      } finally {
        client.disconnect(); // what still waits fails now
        void writers.stop();
      }
    });
  },
};

async function change(scene: Scene, from: number, to: number): Promise<Change> {
  const startedAt = performance.now();
  await scene.reshard(to);
  const status = await until(scene.show, (seen) => missing(seen, to), {
    ...{ what: `${to} shards`, timeoutMs: STEP_MS, signal: scene.signal },
  });
  const tookMs = performance.now() - startedAt;
  const slotsOfShards = status.shards.map(({ slots }) => countSlots(slots));
  scene.say(
    `${from} -> ${to} shards in ${duration(tookMs)}: ${primariesOf(status).length} primaries with ${slotsOfShards.map(count).join(', ')} slots.`,
  );
  return { from, to, tookMs, slotsOfShards };
}

function missing(seen: DatabaseStatus, shards: number): string | null {
  if (seen.spec.shards !== shards || seen.reshard !== null) return 'its slots are on their way';
  return lacking(seen);
}

const lostOf = async (client: Redis, { acknowledged }: Writers): Promise<number> =>
  (await keysLost(client, acknowledged)).length;

function outcome(changes: readonly Change[], { acknowledged, errors, longestWaitMs }: Writers, lost: number): Outcome {
  const first = errors[0] === undefined ? '' : ` (the first: ${errors[0]})`;
  return {
    claims: [
      {
        text: `every shard had slots after each change, and all of them together 16,384: ${changes.map(({ to }) => `${to} shards`).join(', then ')}`,
        held: changes.every(
          ({ to, slotsOfShards }) =>
            slotsOfShards.length === to &&
            slotsOfShards.every((slots) => slots > 0) &&
            slotsOfShards.reduce((sum, slots) => sum + slots, 0) === 16_384,
        ),
      },
      {
        text: `${plural(errors.length, 'error')} at the client${first}, and ${plural(lost, 'acknowledged write')} lost of ${count(acknowledged.size)}`,
        held: errors.length === 0 && lost === 0,
      },
    ],
    figures: {
      ...{ changes: changes.map((one) => ({ ...one, tookMs: tenths(one.tookMs) })), writers: WRITERS },
      ...{ longestWriteMs: tenths(longestWaitMs), acknowledgedWrites: acknowledged.size, errors: errors.length },
      acknowledgedWritesLost: lost,
    },
    summary: [
      ...changes.map(({ from, to, tookMs }): [string, string] => [`${from} -> ${to} shards`, duration(tookMs)]),
      ['Slowest write of all', duration(longestWaitMs)],
      ['Errors at the client', `${count(errors.length)}${first}`],
      ['Acknowledged, lost', `${count(lost)} of ${count(acknowledged.size)}`],
    ],
  };
}
