/** Losses that leave no majority, or nothing at all. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../test/sim/random.ts';
import { cut, mend } from '../../test/support/net-faults.ts';
import { type Fault, pidsOn, shardsOn } from './acts.ts';
import { nowMs } from './clock.ts';
import type { Write } from './history.ts';
import { Load } from './load.ts';
import { hasEnded } from './processes.ts';
import type { Shard, System } from './system.ts';
import { tagsOf } from './tags.ts';
import type { Valkeeper } from './valkeeper.ts';
import { watchChange } from './watch.ts';

const POLL_MS = 1;
const INSIDE_PER_SECOND = 100;
const PATIENCE_MS = 10_000;

/**
 * Two machines with a primary each whose replicas are elsewhere: of three primaries the majority, of five machines not.
 * @throws Error when the nodes do not lie so
 */
export function majorityOf(shards: readonly Shard[], spared: readonly number[]): [number, number] {
  for (const [place, { primary: one }] of shards.entries()) {
    for (const { primary: other } of shards.slice(place + 1)) {
      const lost = [one.machine, other.machine];
      const survive = ({ primary, replicas }: Shard): boolean =>
        !lost.includes(primary.machine) || replicas.some(({ machine }) => !lost.includes(machine));
      const fits = lost[0] !== lost[1] && !lost.some((machine) => spared.includes(machine)) && shards.every(survive);
      if (fits) return [one.machine, other.machine];
    }
  }
  throw new Error('no two primaries lie so that their loss leaves every shard a replica');
}

/** The cables of two machines are pulled, which have the majority of the primaries; nobody tells the processes there. */
export const loseMajority: Fault = async (system, shards) => {
  const lost = majorityOf(shards, system.spared);
  const hit = lost.flatMap((machine) => shardsOn(shards, machine));
  const pids = lost.flatMap((machine) => pidsOn(shards, machine));
  const watches = hit.map((place) => watchChange(system, shards[place]!));
  const inside = await Promise.all(lost.map((machine) => writeInside(system, machine, shards)));
  const at = nowMs();
  await Promise.all(lost.map((machine) => cut(system.hosts[machine]!)));
  const seen: Awaited<ReturnType<Fault>>['seen'] = { broken: [], lost };
  const gone: number[] = [];
  return {
    blow: { shards: hit, at, deadAt: nowMs() },
    gone,
    seen,
    mend: async () => {
      for (const watch of watches) await watch.stop();
      const changes = watches.map(({ change }) => change);
      const since = (moment: number | null): number | null => (moment === null ? null : moment - at);
      seen['endedAfterMs'] = changes.map(({ endedAt }) => since(endedAt));
      seen['promotedAfterMs'] = changes.map(({ promotedAt }) => since(promotedAt));
      const firstAt = Math.min(...changes.map(({ promotedAt }) => promotedAt ?? Number.POSITIVE_INFINITY));
      const meanwhile = (await Promise.all(inside.map((end) => end()))).flat().filter(({ sentAt }) => sentAt >= at);
      seen['insideAcknowledged'] = meanwhile.length;
      seen['insideUntilMs'] = Math.max(0, ...meanwhile.map(({ answeredAt }) => answeredAt! - at));
      if (meanwhile.some(({ answeredAt }) => answeredAt! > firstAt))
        seen.broken.push('not fenced: a primary that was cut off took writes when another had taken over');
      gone.push(...pids.filter(hasEnded));
      for (const machine of lost) await mend(system.hosts[machine]!);
    },
  };
};

/** Writes from a machine to its own primaries. @returns what ends it, and gives the writes that were acknowledged */
async function writeInside(system: System, machine: number, shards: readonly Shard[]): Promise<() => Promise<Write[]>> {
  const slots = shardsOn(shards, machine).map((place) => shards[place]!.slots);
  const load = new Load(system.hosts[machine]!, system.target(machine));
  await load.begin(`inside-${machine}`, INSIDE_PER_SECOND, tagsOf(slots, 1));
  if ((await load.accepted(0, 0, PATIENCE_MS)) === null) throw new Error('nothing is accepted on the machine itself');
  return async () => {
    const writes = await load.end();
    load.close();
    return writes.filter(({ outcome }) => outcome === 'ok');
  };
}

/** Everything on every machine ends at once, servers too; then all start again, in the order that chance says. */
export const endEverything =
  (random: Random): Fault =>
  async (system, shards) => {
    const valkeeper = system as Valkeeper;
    const machines = [0, ...valkeeper.machines];
    const gone = machines.flatMap((machine) => pidsOn(shards, machine));
    const order = random.shuffled(machines);
    const at = nowMs();
    for (const machine of machines) system.hosts[machine]!.losePower();
    while (!gone.every(hasEnded)) await sleep(POLL_MS);
    const deadAt = nowMs();
    const seen: Awaited<ReturnType<Fault>>['seen'] = { broken: [], order };
    return {
      blow: { shards: shards.map((_, place) => place), at, deadAt },
      gone,
      seen,
      mend: async () => {
        for (const machine of order) {
          if (machine === 0) await valkeeper.startServer();
          else await valkeeper.powerOn(machine);
        }
        seen['startedAfterMs'] = nowMs() - at;
      },
    };
  };
