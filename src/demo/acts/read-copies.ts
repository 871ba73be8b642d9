/** Act 2: the same keys, read from the primaries and from the replicas. */
import { setTimeout } from 'node:timers/promises';
import type { NodeStatus } from '../../domain/status.ts';
import { askNode, withCluster } from '../clients.ts';
import { forEachNumber, IN_FLIGHT, KEY_COUNT, keyOf, numberIn, valueFor } from '../dataset.ts';
import type { Act, Outcome, Scene } from '../scene.ts';
import { lacking, primariesOf, primaryOf, replicasOf } from '../shards.ts';
import { until, within } from '../wait.ts';
import { columns, count, plural, tenths } from '../words.ts';

const WHOLE_MS = 30_000;
const CATCH_UP_MS = 10_000;
const ANNOUNCE_MS = 30_000;
/** Longest time for reading all keys once, in milliseconds. */
const READ_MS = 60_000;
const ASK_MS = 15_000;
const ASK_AGAIN_MS = 50;

interface Pass {
  from: 'primaries' | 'replicas';
  readMs: number;
  readsPerSecond: number;
  /** Keys that had a value. */
  found: number;
  /** Keys whose value is not what was written. */
  wrong: number;
  /** Of the reads, as the nodes themselves counted them. */
  servedByPrimaries: number;
  servedByReplicas: number;
  values: (string | null)[];
}

/** The second act. */
export const readCopies: Act = {
  id: 'read-copies',
  title: 'Read from the primary, and from its replica',
  sentence:
    'And then we can have multiple replicas of Primary for reading (Client can read from Primary as well as from any replica)',
  play: async (scene) => {
    scene.say(
      `The client reads all ${count(KEY_COUNT)} keys twice: from the primaries, then from the replicas (READONLY).`,
    );
    await until(scene.show, lacking, { what: 'all replicas in sync', timeoutMs: WHOLE_MS, signal: scene.signal });
    await within(catchUp(scene), {
      ...{ what: 'the replicas acknowledging the last write', timeoutMs: CATCH_UP_MS, signal: scene.signal },
    });
    await within(announced(scene), {
      ...{ what: 'every node telling clients of all replicas', timeoutMs: ANNOUNCE_MS, signal: scene.signal },
    });
    const primaries = await readAll(scene, 'primaries');
    const replicas = await readAll(scene, 'replicas');
    scene.say(describePasses([primaries, replicas]).join('\n'));
    return outcome(primaries, replicas);
  },
};

/**
 * Replicas follow a moment behind. A write is repeated in each shard, and its replicas asked (WAIT) to acknowledge it:
 * then they have all that came before, too.
 */
async function catchUp(scene: Scene): Promise<void> {
  const { shards } = await scene.show();
  await Promise.all(
    shards.map((shard) =>
      askNode(scene, primaryOf(shard), async (redis) => {
        const number = numberIn(shard.slots);
        await redis.set(keyOf(number), valueFor(number));
        while ((await redis.wait(shard.replicas.length, 1000)) < shard.replicas.length) scene.signal.throwIfAborted();
      }),
    ),
  );
}

/**
 * A node tells clients (CLUSTER SLOTS) of a replica once gossip has brought it an offset of that replica other than 0
 * (Valkey's cluster_legacy.c, isReplicaAvailable): until then they would read from its primary.
 */
async function announced(scene: Scene): Promise<void> {
  const { shards } = await scene.show();
  const most = Math.min(...shards.map((shard) => shard.replicas.length));
  const nodes = shards.flatMap((shard) => [primaryOf(shard), ...shard.replicas]);
  for (const node of nodes) {
    await askNode(scene, node, async (redis) => {
      for (;;) {
        const slots = (await redis.cluster('SLOTS')) as [first: number, last: number, ...nodes: unknown[]][];
        if (slots.every(([, , _primary, ...replicas]) => replicas.length >= most)) return;
        await setTimeout(ASK_AGAIN_MS, null, { signal: scene.signal });
      }
    });
  }
}

async function readAll(scene: Scene, from: Pass['from']): Promise<Pass> {
  const deadline = (what: string, timeoutMs: number) => ({ what, timeoutMs, signal: scene.signal });
  const counting = 'counting the reads of each node';
  const before = await within(readsServed(scene), deadline(counting, ASK_MS));
  const values: (string | null)[] = [];
  const startedAt = performance.now();
  await withCluster(scene, from, (client) =>
    within(
      forEachNumber(scene.signal, async (number) => {
        if (number % 1000 === 0) scene.phase(`read from the ${from}: ${count(number)} of ${count(KEY_COUNT)} keys`);
        values[number] = await client.get(keyOf(number));
      }),
      deadline(`reading ${count(KEY_COUNT)} keys from the ${from}`, READ_MS),
    ),
  );
  const readMs = performance.now() - startedAt;
  const after = await within(readsServed(scene), deadline(counting, ASK_MS));
  return {
    ...{ from, readMs, values, readsPerSecond: Math.round(KEY_COUNT / (readMs / 1000)) },
    found: values.filter((value) => value !== null).length,
    wrong: values.filter((value, number) => value !== valueFor(number)).length,
    servedByPrimaries: after.primaries - before.primaries,
    servedByReplicas: after.replicas - before.replicas,
  };
}

/** GET commands served so far, as the nodes' own statistics say. */
async function readsServed(scene: Scene): Promise<{ primaries: number; replicas: number }> {
  const database = await scene.show();
  const sum = async (nodes: readonly NodeStatus[]): Promise<number> =>
    (await Promise.all(nodes.map((node) => getsServed(scene, node)))).reduce((a, b) => a + b, 0);
  const [primaries, replicas] = await Promise.all([sum(primariesOf(database)), sum(replicasOf(database))]);
  return { primaries, replicas };
}

async function getsServed(scene: Scene, node: NodeStatus): Promise<number> {
  const text = await askNode(scene, node, (redis) => redis.info('commandstats'));
  return Number(/^cmdstat_get:calls=(\d+)/m.exec(text)?.[1] ?? 0); // a node that served none has no such line
}

function describePasses(passes: readonly Pass[]): string[] {
  const rows = passes.map((pass) => [
    ...[pass.from, count(pass.found), count(pass.wrong)],
    ...[count(pass.servedByPrimaries), count(pass.servedByReplicas), count(pass.readsPerSecond)],
  ]);
  const header = ['READ FROM', 'FOUND', 'WRONG', 'SERVED BY PRIMARIES', 'BY REPLICAS', 'READS/S'];
  return columns([header, ...rows], [1, 2, 3, 4, 5]);
}

function outcome(primaries: Pass, replicas: Pass): Outcome {
  const differences = primaries.values.filter((value, number) => value !== replicas.values[number]).length;
  const figuresOf = ({ values: _values, from: _from, readMs, ...figures }: Pass) => ({
    readMs: tenths(readMs),
    ...figures,
  });
  const reads = `${count(primaries.servedByPrimaries)} from primaries, ${count(replicas.servedByReplicas)} from replicas`;
  return {
    claims: [
      {
        text: `${count(primaries.found)} keys on the primaries, ${count(replicas.found)} on the replicas, ${plural(differences, 'difference')}`,
        held:
          primaries.found === KEY_COUNT &&
          replicas.found === KEY_COUNT &&
          differences + primaries.wrong + replicas.wrong === 0,
      },
      {
        text: `each read came from where it was meant to: ${reads}`,
        held:
          primaries.servedByPrimaries === KEY_COUNT &&
          primaries.servedByReplicas === 0 &&
          replicas.servedByReplicas === KEY_COUNT &&
          replicas.servedByPrimaries === 0,
      },
    ],
    figures: {
      ...{ keys: KEY_COUNT, inFlight: IN_FLIGHT, differences },
      ...{ primaries: figuresOf(primaries), replicas: figuresOf(replicas) },
    },
    summary: [
      ['Reads', reads],
      [
        'Reads a second',
        `${count(primaries.readsPerSecond)} from primaries, ${count(replicas.readsPerSecond)} from replicas`,
      ],
      ['Differences', count(differences)],
    ],
  };
}
