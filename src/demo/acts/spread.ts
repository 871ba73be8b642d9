/** Act 1: one database, filled through a client, lies on several primaries. */
import type { DatabaseStatus, NodeStatus } from '../../domain/status.ts';
import { askNode, withCluster } from '../clients.ts';
import { forEachNumber, IN_FLIGHT, KEY_COUNT, keyOf, VALUE_BYTES, valueFor } from '../dataset.ts';
import type { Act, Outcome, Scene } from '../scene.ts';
import { primaryOf } from '../shards.ts';
import { within } from '../wait.ts';
import { columns, count, duration, percent, plural, tenths } from '../words.ts';

/** Longest time for writing all keys, in milliseconds. */
const FILL_MS = 60_000;
const ASK_MS = 15_000;
/** A full bar is this long. */
const BAR = 60;

interface Filled {
  writeMs: number;
  errors: number;
  firstError: string | null;
}

interface ShardKeys {
  id: string;
  machine: string;
  host: string;
  port: number;
  keys: number;
  /** Of all keys, 0 to 1. */
  share: number;
}

/** The first act. */
export const spread: Act = {
  id: 'spread',
  title: 'One database over several primaries',
  sentence:
    'So now, instead of having 1 master, we can now spit our database into 4 shards, and can have 4 master running at once.',
  play: async (scene) => {
    scene.say(
      `An ordinary client, ioredis, writes ${count(KEY_COUNT)} keys of ${VALUE_BYTES} bytes, ${IN_FLIGHT} at a time.`,
    );
    const filled = await withCluster(scene, 'primaries', (client) =>
      within(
        fill(scene, (number) => client.set(keyOf(number), valueFor(number))),
        {
          ...{ what: `writing ${count(KEY_COUNT)} keys`, timeoutMs: FILL_MS, signal: scene.signal },
        },
      ),
    );
    const database = await scene.show();
    const shards = await within(keysOfShards(scene, database), {
      ...{ what: 'counting the keys of each primary', timeoutMs: ASK_MS, signal: scene.signal },
    });
    scene.say(describeShards(shards).join('\n'));
    return outcome(filled, shards, database.spec.shards);
  },
};

async function fill({ signal, phase }: Scene, write: (number: number) => Promise<unknown>): Promise<Filled> {
  const filled: Filled = { writeMs: 0, errors: 0, firstError: null };
  const startedAt = performance.now();
  await forEachNumber(signal, async (number) => {
    if (number % 1000 === 0) phase(`written: ${count(number)} of ${count(KEY_COUNT)} keys`);
    try {
      await write(number);
    } catch (error) {
      filled.errors += 1;
      filled.firstError ??= (error as Error).message;
    }
  });
  return { ...filled, writeMs: performance.now() - startedAt };
}

async function keysOfShards(scene: Scene, { shards }: DatabaseStatus): Promise<ShardKeys[]> {
  const size = (node: NodeStatus): Promise<number> => askNode(scene, node, (redis) => redis.dbsize());
  return Promise.all(
    shards.map(async (shard) => {
      const primary = primaryOf(shard);
      const keys = await size(primary);
      const { machine, host, port } = primary;
      return { id: shard.id, machine, host, port, keys, share: keys / KEY_COUNT };
    }),
  );
}

function describeShards(shards: readonly ShardKeys[]): string[] {
  const rows = shards.map(({ id, machine, host, port, keys, share }) => [
    ...[id, machine, `${host}:${port}`, count(keys), percent(share)],
    '#'.repeat(Math.round(share * BAR)),
  ]);
  return columns([['SHARD', 'MACHINE', 'PRIMARY', 'KEYS', 'SHARE', ''], ...rows], [3, 4]);
}

function outcome(filled: Filled, shards: readonly ShardKeys[], wanted: number): Outcome {
  const { writeMs, errors, firstError } = filled;
  const total = shards.reduce((sum, { keys }) => sum + keys, 0);
  const writesPerSecond = Math.round(KEY_COUNT / (writeMs / 1000));
  const shares = shards.map(({ share }) => share);
  return {
    claims: [
      {
        text: `${count(KEY_COUNT)} writes in ${duration(writeMs)}, ${count(writesPerSecond)} a second, with ${plural(errors, 'error')}${firstError ? `: ${firstError}` : ''}`,
        held: errors === 0,
      },
      {
        text: `${shards.length} primaries have their part each, ${count(total)} keys together`,
        held: total === KEY_COUNT && shards.length === wanted && shards.every(({ keys }) => keys > 0),
      },
    ],
    figures: {
      keys: KEY_COUNT,
      valueBytes: VALUE_BYTES,
      inFlight: IN_FLIGHT,
      writeMs: tenths(writeMs),
      writesPerSecond,
      errors,
      shards,
    },
    summary: [
      ['Keys written', `${count(KEY_COUNT)} in ${duration(writeMs)}, ${count(writesPerSecond)} a second`],
      ['Share of a shard', `${percent(Math.min(...shares))} to ${percent(Math.max(...shares))}`],
    ],
  };
}
