/** Act 3: a primary is killed while apps write, and the database goes on. */
import type { Cluster } from 'ioredis';
import { RETRY, withCluster } from '../clients.ts';
import { forEachNumber, inSlots, KEY_COUNT, keyOf, valueFor } from '../dataset.ts';
import { type Loss, losePrimaryOf } from '../loss.ts';
import type { Act, Outcome, Scene } from '../scene.ts';
import { lacking } from '../shards.ts';
import { pause, until, within } from '../wait.ts';
import { count, duration, plural, tenths } from '../words.ts';
import { Writers } from '../writers.ts';

const WRITERS = 8;
const PAUSE_MS = 2;
/** Writing goes on undisturbed for so long before the kill, and after the shard is whole again, in milliseconds. */
const BEFORE_MS = 3000;
const AFTER_MS = 2000;
const WHOLE_MS = 30_000;
const STOP_MS = 10_000;
/** Longest time for reading everything back, in milliseconds. */
const READ_BACK_MS = 60_000;

/** What `lost` means, for those who doubt. */
const HOW_COUNTED =
  'Everything is read back. Lost is a write that was answered with OK and whose value, unlike any other, is not there; a write that ended in an error may have been made or not, and counts as an error.';

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
        ...{ name: 'log', writers: WRITERS, pauseMs: PAUSE_MS, isWatched: (key) => inSlots(key, shard.slots) },
      });
      try {
        const loss = await losePrimaryOf(scene, shard, writers, BEFORE_MS);
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
