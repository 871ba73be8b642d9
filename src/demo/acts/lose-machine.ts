/** Act 7: a whole machine is lost under writes; its copies are made anew elsewhere, and it comes back empty. */
import type { DatabaseStatus, EndpointAddress } from '../../domain/status.ts';
import { NOT_DONE, UNKNOWN, withPlain } from '../clients.ts';
import { inSlots, KEY_COUNT, keyOf, valueFor } from '../dataset.ts';
import {
  bringBack,
  loseMachine as lose,
  type MachineLoss,
  type MachineReturn,
  type Stake,
  stakeIn,
} from '../machine-loss.ts';
import { keysLost } from '../read-back.ts';
import type { Act, Outcome, Scene } from '../scene.ts';
import { lacking, primaryOf } from '../shards.ts';
import { pause, until, within } from '../wait.ts';
import { count, duration, plural, tenths } from '../words.ts';
import { Writers } from '../writers.ts';

const WRITERS = 8;
const PAUSE_MS = 5;
/** Writing goes on for so long after the machine is back, in milliseconds. */
const AFTER_MS = 1_000;
/** Longest time for a step of the act, in milliseconds. */
const STEP_MS = 30_000;

/** What came of the writes. */
interface Written {
  writers: Writers;
  connectionsLost: number;
  checked: number;
  lost: string[];
}

/** The seventh act. */
export const loseMachine: Act = {
  id: 'lose-machine',
  title: 'Lose a whole machine, and be whole without it',
  sentence:
    'All our replicas will live in a single server, and if that fails, our redis DB is basically gone. We will have a Downtime for Server Crashing. Instead, we would like to Distribute among multiple servers (nodes)',
  play: async (scene) => {
    const whole = await until(scene.show, (seen) => lacking(seen) ?? missingStake(seen), {
      ...{ what: 'the database and a machine that may be lost', timeoutMs: STEP_MS, signal: scene.signal },
    });
    const stake = stakeIn(whole)!;
    const endpoint = whole.endpoints.find(({ machine, serves }) => serves && machine !== stake.machine)!;
    scene.say(
      `${stake.machine} has ${plural(stake.copies, 'node')}, the primary of ${stake.shard.id} among them. ${WRITERS} writers use a plain client at ${endpoint.machine}. The spec says: what is away for ${whole.spec.replaceAfterSeconds} s is made anew elsewhere.`,
    );
    return withPlain(scene, endpoint, async (client) => {
      let connectionsLost = 0;
      client.on('close', () => {
        connectionsLost += 1;
      });
      const isWatched = (key: string): boolean => inSlots(key, stake.shard.slots);
      const writers = new Writers((key, value) => client.set(key, value), {
        ...{ name: 'power', writers: WRITERS, pauseMs: PAUSE_MS, isWatched },
      });
      try {
        const loss = await lose(scene, stake, writers);
        scene.say(describeHealed(loss));
        const back = await bringBack(scene, stake.machine);
        scene.say(
          `The power is back. ${duration(back.backMs)} later ${stake.machine} has removed its ${plural(back.foldersBefore, 'old node')}, and its endpoint serves.`,
        );
        await pause(AFTER_MS, scene.signal);
        await within(writers.stop(), { what: 'the last writes', timeoutMs: STEP_MS, signal: scene.signal });
        const read = await readBack(scene, stake.machine, writers.acknowledged);
        return outcome(stake, endpoint, loss, back, { writers, connectionsLost, ...read });
      } finally {
        client.disconnect(); // what still waits fails now
        void writers.stop();
      }
    }).finally(() => scene.restorePower(stake.machine)); // also when the play ends in the dark
  },
};

/** With two of four primaries on each machine that has any, losing one would leave no majority. */
const missingStake = (seen: DatabaseStatus): string | null => {
  if (!stakeIn(seen)) return 'no machine has exactly one primary';
  return seen.endpoints.every(({ serves }) => serves) ? null : 'not every endpoint serves';
};

const describeHealed = ({ awayMs, wholeMs, healed }: MachineLoss): string =>
  `After ${duration(awayMs)} the control plane counts the machine as away, after ${duration(wholeMs)} every shard is whole without it: ${healed.shards.map((shard) => `${shard.id} on ${copiesOf(shard)}`).join(', ')}.`;

const copiesOf = (shard: DatabaseStatus['shards'][number]): string =>
  [primaryOf(shard), ...shard.replicas].map(({ machine }) => machine).join(' and ');

/** Reads every value of this act and of the first, through the machine that was away. */
async function readBack(
  scene: Scene,
  machine: string,
  acknowledged: ReadonlyMap<string, string>,
): Promise<Pick<Written, 'checked' | 'lost'>> {
  scene.phase(`reading everything back through ${machine}`);
  const expected = new Map(acknowledged);
  for (let number = 0; number < KEY_COUNT; number += 1) expected.set(keyOf(number), valueFor(number));
  const endpoint = (await scene.show()).endpoints.find((one) => one.machine === machine)!;
  const lost = await withPlain(scene, endpoint, (client) =>
    within(keysLost(client, expected), {
      ...{ what: 'reading everything back', timeoutMs: STEP_MS, signal: scene.signal },
    }),
  );
  return { checked: expected.size, lost };
}

function outcome(
  { machine, shard, copies }: Stake,
  { url }: EndpointAddress,
  { waitMs, awayMs, wholeMs, writesBefore, unpromised, healed }: MachineLoss,
  { backMs, foldersBefore, foldersAfter, nodes }: MachineReturn,
  { writers, connectionsLost, checked, lost }: Written,
): Outcome {
  const { acknowledged, errors, longestWaitMs } = writers;
  const unknown = errors.filter((text) => text.startsWith(UNKNOWN)).length;
  const notDone = errors.filter((text) => text.endsWith(NOT_DONE)).length;
  const others = errors.filter((text) => !text.startsWith(UNKNOWN) && !text.endsWith(NOT_DONE));
  const broken = lost.filter((key) => !unpromised.has(key)).length;
  const machines = [
    ...new Set(healed.shards.flatMap((one) => [primaryOf(one), ...one.replicas]).map((one) => one.machine)),
  ];
  return {
    claims: [
      {
        text: `${machine} was lost, and ${healed.shards.length} shards are whole on ${machines.toSorted().join(', ')}: a primary and ${plural(healed.spec.replicas, 'replica')} in sync each, on different machines`,
        held: !machines.includes(machine) && healed.shards.every((one) => isApart(one, healed.spec.replicas)),
      },
      {
        text: `the client went on: ${plural(connectionsLost, 'connection')} lost, ${plural(unknown, 'write')} of which nobody knows whether the lost machine had made it (${UNKNOWN}), ${count(notDone)} refused as not done, ${plural(others.length, 'other error')}${others.length > 0 ? `: ${others[0]}` : ''}`,
        held: connectionsLost === 0 && others.length === 0,
      },
      {
        text: `${plural(lost.length, 'acknowledged write')} lost: ${count(checked - lost.length)} of ${count(checked)} were read back as written, through ${machine}. Replication is asynchronous: any of the ${count(unpromised.size)} that the lost primary acknowledged in its last second may be lost with it, and ${count(lost.length - broken)} are; of all others none may, and ${count(broken)} are`,
        held: broken === 0,
      },
      {
        text: `${machine} came back, and what it had was removed: ${plural(foldersBefore, 'old node')} before, ${count(foldersAfter)} after`,
        held: foldersBefore === copies && foldersAfter + nodes === 0,
      },
    ],
    figures: {
      ...{ url, machine, shard: shard.id, copies, machinesAfter: machines.toSorted(), writers: WRITERS },
      ...{ waitMs: tenths(waitMs), longestWriteMs: tenths(longestWaitMs), awayMs: tenths(awayMs) },
      ...{ replaceAfterSeconds: healed.spec.replaceAfterSeconds, wholeMs: tenths(wholeMs), backMs: tenths(backMs) },
      ...{ acknowledgedWrites: acknowledged.size, acknowledgedBeforeLoss: writesBefore },
      ...{ errors: errors.length, unknownOutcomes: unknown, refusedAsNotDone: notDone, connectionsLost },
      ...{ valuesChecked: checked, acknowledgedWritesLost: lost.length },
      ...{ unpromisedWrites: unpromised.size, unpromisedWritesLost: lost.length - broken },
      ...{ oldNodesOnReturn: foldersBefore, oldNodesLeft: foldersAfter },
    },
    summary: [
      ['Loss to next write', duration(waitMs)],
      ['Slowest write of all', duration(longestWaitMs)],
      ['Loss to whole elsewhere', duration(wholeMs)],
      ['Return to nothing old', duration(backMs)],
      ['Errors, connections lost', `${count(errors.length)}, ${count(connectionsLost)}`],
      ['Acknowledged, lost', `${count(lost.length)} of ${count(checked)}`],
    ],
  };
}

/** As many replicas in sync as wanted, all on different machines. */
function isApart(shard: DatabaseStatus['shards'][number], replicas: number): boolean {
  const inSync = shard.replicas.filter((one) => one.inSync);
  const machines = [primaryOf(shard), ...inSync].map(({ machine }) => machine);
  return inSync.length === replicas && new Set(machines).size === machines.length;
}
