/** Act 6: a backup is made under writes, and a second database of it in another number of shards. */
import type { Redis } from 'ioredis';
import type { BackupStatus } from '../../domain/backup.ts';
import { formatSize } from '../../domain/size.ts';
import type { DatabaseStatus } from '../../domain/status.ts';
import { withPlain } from '../clients.ts';
import { KEY_COUNT, keyOf, valueFor } from '../dataset.ts';
import { keysLost, keysUnlike } from '../read-back.ts';
import type { Act, Outcome, Restored, Scene } from '../scene.ts';
import { lacking } from '../shards.ts';
import { pause, until, within } from '../wait.ts';
import { count, duration, plural, tenths } from '../words.ts';
import { Writers } from '../writers.ts';

const WRITERS = 8;
const PAUSE_MS = 5;
const FEWER = 1;
/** Writing goes on for so long before and after the backup, in milliseconds. */
const AROUND_MS = 1_000;
/** Longest time for a step of the act, in milliseconds. */
const STEP_MS = 90_000;

interface Taken {
  backup: BackupStatus;
  tookMs: number;
  /** What had to be in it: acknowledged before it was asked for. */
  before: Map<string, string>;
}

interface Made {
  shards: number;
  tookMs: number;
}

interface Comparison {
  /** Keys of the second database, and how many of them are not in the first, or have another value there. */
  keys: number;
  unlike: number;
  /** Keys that had to be in it, and how many are not. */
  expected: number;
  missing: number;
}

/** The sixth act. */
export const restoreBackup: Act = {
  id: 'restore-backup',
  title: 'Back it up under writes, and make another database of it',
  sentence: 'We know about Data Persistence and Durability and Best Practices.',
  play: async (scene) => {
    const whole = await until(scene.show, (seen) => lacking(seen) ?? unservedAt(seen), {
      ...{ what: 'the database and its endpoint', timeoutMs: STEP_MS, signal: scene.signal },
    });
    const shards = whole.shards.length;
    scene.say(`${WRITERS} writers go on, while each shard is streamed from its replica.`);
    return withPlain(scene, whole.endpoint!, async (client) => {
      const writers = new Writers((key, value) => client.set(key, value), {
        ...{ name: 'saved', writers: WRITERS, pauseMs: PAUSE_MS, isWatched: () => false },
      });
      try {
        await pause(AROUND_MS, scene.signal);
        const taken = await take(scene, writers);
        await pause(AROUND_MS, scene.signal);
        await within(writers.stop(), { what: 'the last writes', timeoutMs: STEP_MS, signal: scene.signal });
        const restored = await scene.restore(taken.backup.id, shards - FEWER);
        const made = await become(scene, restored, shards);
        const compared = await within(compare(scene, client, restored, taken.before), {
          ...{ what: 'reading both databases', timeoutMs: STEP_MS, signal: scene.signal },
        });
        await restored.remove();
        await until(restored.isThere, (isThere) => (isThere ? `${restored.name} is still there` : null), {
          ...{ what: 'its end', timeoutMs: STEP_MS, signal: scene.signal },
        });
        return outcome(shards, taken, made, compared, writers);
      } finally {
        client.disconnect(); // what still waits fails now
        void writers.stop();
      }
    });
  },
};

const unservedAt = (seen: DatabaseStatus): string | null => (seen.endpoint ? null : 'no endpoint serves it');

const bytesOf = ({ parts }: BackupStatus, which: 'rawBytes' | 'storedBytes'): number =>
  parts.reduce((sum, part) => sum + part[which], 0);

async function take(scene: Scene, { acknowledged }: Writers): Promise<Taken> {
  const before = new Map(acknowledged);
  for (let number = 0; number < KEY_COUNT; number += 1) before.set(keyOf(number), valueFor(number));
  const startedAt = performance.now();
  const { id } = await scene.backUp();
  const backup = await until(
    () => scene.backup(id),
    ({ state }) => (state === 'running' ? 'it is being made' : null),
    { what: 'the backup', timeoutMs: STEP_MS, signal: scene.signal },
  );
  const tookMs = performance.now() - startedAt;
  scene.say(
    `The backup is ${backup.state}${backup.problem ? `: ${backup.problem}` : ''} after ${duration(tookMs)}: ${formatSize(bytesOf(backup, 'rawBytes'))} from ${plural(backup.parts.length, 'node')}, ${formatSize(bytesOf(backup, 'storedBytes'))} stored.`,
  );
  return { backup, tookMs, before };
}

/** Until the second database has its data and its shape. */
async function become(scene: Scene, { show, name }: Restored, from: number): Promise<Made> {
  const startedAt = performance.now();
  const seen = await until(show, missing, {
    ...{ what: `${name} with all of its data`, timeoutMs: STEP_MS, signal: scene.signal },
  });
  const tookMs = performance.now() - startedAt;
  const shards = seen.shards.length;
  scene.say(`${name} is made of it in ${duration(tookMs)}, with ${shards} shards in place of ${from}.`);
  return { shards, tookMs };
}

function missing(seen: DatabaseStatus): string | null {
  if (seen.restore !== null) return 'its data is on its way';
  if (seen.reshard !== null) return 'its slots are on their way';
  return lacking(seen) ?? unservedAt(seen);
}

async function compare(
  scene: Scene,
  first: Redis,
  restored: Restored,
  before: ReadonlyMap<string, string>,
): Promise<Comparison> {
  scene.phase('reading both databases');
  const { endpoint } = await restored.show();
  return withPlain(restored, endpoint!, async (second) => {
    const { keys, unlike } = await keysUnlike(second, first);
    return { keys, unlike, expected: before.size, missing: (await keysLost(second, before)).length };
  });
}

function outcome(
  from: number,
  { backup, tookMs }: Taken,
  made: Made,
  { keys, unlike, expected, missing: lost }: Comparison,
  { acknowledged, errors, longestWaitMs }: Writers,
): Outcome {
  const first = errors[0] === undefined ? '' : ` (the first: ${errors[0]})`;
  const [rawBytes, storedBytes] = [bytesOf(backup, 'rawBytes'), bytesOf(backup, 'storedBytes')];
  return {
    claims: [
      {
        text: `a backup of ${plural(backup.parts.length, 'shard')} was made under writes, of moments ${backup.skewMs} ms apart, with ${plural(errors.length, 'error')} at the client${first}`,
        held: backup.state === 'done' && backup.parts.length === from && errors.length === 0,
      },
      {
        text: `a second database was made of it, with ${made.shards} shards in place of ${from}`,
        held: made.shards === from - FEWER,
      },
      {
        text: `it has ${count(expected - lost)} of the ${count(expected)} keys that were written before the backup, as they were written; and of all its ${count(keys)} keys ${count(unlike)} are other than in the first`,
        held: lost === 0 && unlike === 0 && keys >= expected,
      },
    ],
    figures: {
      ...{ writers: WRITERS, shardsBefore: from, shardsAfter: made.shards },
      ...{ backupMs: tenths(tookMs), skewMs: backup.skewMs, rawBytes, storedBytes },
      ...{ restoreMs: tenths(made.tookMs), longestWriteMs: tenths(longestWaitMs) },
      ...{ acknowledgedWrites: acknowledged.size, errors: errors.length },
      ...{ keysExpected: expected, keysMissing: lost, keysRestored: keys, keysUnlike: unlike },
    },
    summary: [
      ['Backup, whole', duration(tookMs)],
      ['Its size, stored', `${formatSize(rawBytes)}, ${formatSize(storedBytes)}`],
      ['Moments of its shards', `${backup.skewMs} ms apart`],
      [`Restored, ${from} -> ${made.shards} shards`, duration(made.tookMs)],
      ['Slowest write of all', duration(longestWaitMs)],
      ['Keys missing, unlike', `${count(lost)}, ${count(unlike)} of ${count(keys)}`],
    ],
  };
}
