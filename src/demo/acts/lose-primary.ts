/** Act 3: a primary is killed while apps write, and the database goes on. */
import type { Cluster } from 'ioredis';
import type { DatabaseStatus, NodeStatus, ShardStatus } from '../../domain/status.ts';
import { RETRY, withCluster } from '../clients.ts';
import { forEachNumber, inSlots, KEY_COUNT, keyOf, valueFor } from '../dataset.ts';
import type { Act, Outcome, Scene } from '../scene.ts';
import { lacking, primaryOf } from '../shards.ts';
import { pause, until, within } from '../wait.ts';
import { count, duration, plural, tenths } from '../words.ts';
import { Writers } from '../writers.ts';

const WRITERS = 8;
const PAUSE_MS = 2;
/** Writing goes on undisturbed for so long before the kill, and after the shard is whole again, in milliseconds. */
const BEFORE_MS = 3000;
const AFTER_MS = 2000;
const WHOLE_MS = 30_000;
const ACCEPTED_MS = 30_000;
const REPLICA_BACK_MS = 60_000;
const STOP_MS = 10_000;
/** Longest time for reading everything back, in milliseconds. */
const READ_BACK_MS = 60_000;

/** What `lost` means, for those who doubt. */
const HOW_COUNTED =
  'Everything is read back. Lost is a write that was answered with OK and whose value, unlike any other, is not there; a write that ended in an error may have been made or not, and counts as an error.';

interface Loss {
  shard: string;
  killed: NodeStatus;
  successor: NodeStatus;
  writesBefore: number;
  /** From the kill, in milliseconds. */
  waitMs: number;
  replicaBackMs: number;
}

/** Acknowledged values that were looked for afterwards, and those that were not there. */
interface ReadBack {
  checked: number;
  lost: number;
}

/** The third act. */
export const losePrimary: Act = {
  id: 'lose-primary',
  title: 'Kill a primary under writes, and go on',
  sentence: 'If one of the primary fails, our replicas can take over as primary.',
  play: async (scene) => {
    const whole = await until(scene.show, lacking, {
      ...{ what: 'all replicas in sync', timeoutMs: WHOLE_MS, signal: scene.signal },
    });
    const shard = whole.shards[0]!;
    scene.say(
      `${WRITERS} writers set new keys without end. The client reconnects by itself: it tries again every ${RETRY.pauseMs} ms.`,
    );
    return withCluster(scene, 'primaries', async (client) => {
      const writers = new Writers((key, value) => client.set(key, value), {
        ...{ writers: WRITERS, pauseMs: PAUSE_MS, isWatched: (key) => inSlots(key, shard.slots) },
      });
      try {
        const loss = await losePrimaryOf(scene, shard, writers);
        await pause(AFTER_MS, scene.signal);
        await within(writers.stop(), { what: 'the last writes', timeoutMs: STOP_MS, signal: scene.signal });
        const readBack = await within(readEverythingBack(scene, client, writers.acknowledged), {
          ...{ what: 'reading everything back', timeoutMs: READ_BACK_MS, signal: scene.signal },
        });
        scene.say(HOW_COUNTED);
        return outcome(loss, writers, readBack);
      } finally {
        client.disconnect(); // what is still being tried fails now
        void writers.stop();
      }
    });
  },
};

async function losePrimaryOf(scene: Scene, shard: ShardStatus, writers: Writers): Promise<Loss> {
  const { signal } = scene;
  scene.phase('writing');
  await pause(BEFORE_MS, signal);
  const writesBefore = writers.acknowledged.size;
  const killed = primaryOf(shard);
  const killedAt = performance.now();
  const accepted = writers.firstAcceptedFromNow();
  scene.kill(killed);
  const what = `a write accepted for a key of ${shard.id} after the kill`;
  const waitMs = (await within(accepted, { what, timeoutMs: ACCEPTED_MS, signal })) - killedAt;
  scene.say(`kill -9 ${killed.pid}: the primary of ${shard.id}, on ${killed.machine}.`);
  scene.say(`${duration(waitMs)} later ${shard.id} accepts a write again.`);
  scene.phase(`waiting for ${shard.id} to have its replica again`);
  const healed = await until(scene.show, (seen) => missingFrom(seen, shard.id, killed), {
    ...{ what: `the replica of ${shard.id} back in sync`, timeoutMs: REPLICA_BACK_MS, signal },
  });
  const replicaBackMs = performance.now() - killedAt;
  const now = healed.shards.find(({ id }) => id === shard.id)!;
  const successor = primaryOf(now);
  const copies = now.replicas.map(({ machine }) => machine).join(', ');
  scene.say(
    `${successor.machine} serves ${shard.id} now; ${duration(replicaBackMs)} after the kill it has its replica again, on ${copies}.`,
  );
  return { shard: shard.id, killed, successor, writesBefore, waitMs, replicaBackMs };
}

/** What the shard lacks to be whole with another primary; null when nothing. */
function missingFrom(seen: DatabaseStatus, id: string, killed: NodeStatus): string | null {
  const shard = seen.shards.find((one) => one.id === id);
  if (shard?.primary?.pid === killed.pid) return `${id} is still shown with the killed primary`;
  return lacking(seen);
}

/** Reads every value that was ever acknowledged, of this act and of the first, from the primaries. */
async function readEverythingBack(
  { phase, signal }: Scene,
  client: Cluster,
  acknowledged: ReadonlyMap<string, string>,
): Promise<ReadBack> {
  phase('reading everything back');
  const keys = [...acknowledged.keys()];
  const checked = KEY_COUNT + keys.length;
  let lost = 0;
  await forEachNumber(
    signal,
    async (number) => {
      const key = number < KEY_COUNT ? keyOf(number) : keys[number - KEY_COUNT]!;
      const expected = number < KEY_COUNT ? valueFor(number) : acknowledged.get(key)!;
      if ((await client.get(key)) !== expected) lost += 1;
    },
    checked,
  );
  return { checked, lost };
}

function outcome(loss: Loss, { acknowledged, errors, longestWaitMs }: Writers, { checked, lost }: ReadBack): Outcome {
  const { waitMs, replicaBackMs, killed, successor, shard } = loss;
  const first = errors[0] === undefined ? '' : ` (the first: ${errors[0]})`;
  return {
    claims: [
      {
        text: `${successor.machine} took over from ${killed.machine}, and ${shard} has its replica again`,
        held: successor.nodeId !== killed.nodeId,
      },
      {
        text: `${plural(lost, 'acknowledged write')} lost: ${count(checked - lost)} of the ${count(checked)} writes answered with OK, in this act and the first, were read back as written`,
        held: lost === 0,
      },
    ],
    figures: {
      ...{ shard, killed, successor, writers: WRITERS },
      ...{ waitMs: tenths(waitMs), replicaBackMs: tenths(replicaBackMs), longestWriteMs: tenths(longestWaitMs) },
      ...{ acknowledgedWrites: acknowledged.size, acknowledgedBeforeKill: loss.writesBefore, errors: errors.length },
      ...{ valuesChecked: checked, acknowledgedWritesLost: lost },
    },
    summary: [
      ['Kill to next write', duration(waitMs)],
      ['Slowest write of all', duration(longestWaitMs)],
      ['Kill to replica back', duration(replicaBackMs)],
      ['Errors at the client', `${count(errors.length)}${first}`],
      ['Acknowledged, lost', `${count(lost)} of ${count(checked)}`],
    ],
  };
}
