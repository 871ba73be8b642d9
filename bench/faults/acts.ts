/** The faults, each done to any system: what is hit, when, and what is seen meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cut, mend } from '../../test/support/net-faults.ts';
import { nowMs } from './clock.ts';
import type { Blow } from './history.ts';
import { hasEnded, signalAndSee } from './processes.ts';
import type { Shard, System } from './system.ts';

/** A fault under way. */
export interface Struck {
  blow: Blow;
  /** Writing goes on until then. */
  lasts?: Promise<void>;
  /** Ends it, and whatever must be done by hand where nobody does it by itself. */
  mend: () => Promise<void>;
  /** Processes that have ended. */
  gone: number[];
  /** What else was seen, for the record; more may be added until all is whole. */
  seen: Seen;
  /** When all is whole: what can only be seen then. */
  afterwards?: () => Promise<void>;
}

/** Facts by name. The table's conditions on them: `broken` lists what must not have been. */
export interface Seen {
  broken: string[];
  [fact: string]: unknown;
}

/** Strikes the shard at this place. */
export type Fault = (system: System, shards: readonly Shard[], shard: number) => Promise<Struck>;

/** `kill -9` of a primary. */
export const killPrimary: Fault = async (system, shards, shard) => {
  const { primary } = shards[shard]!;
  const moment = signalAndSee(primary.pid, 'SIGKILL');
  return {
    blow: { shards: [shard], ...moment },
    mend: () => system.revive(primary),
    gone: [primary.pid],
    seen: { broken: [], machine: primary.machine },
  };
};

/** Everything that runs on a machine ends at once. */
export const killMachine: Fault = async (system, shards, shard) => {
  const { machine } = shards[shard]!.primary;
  const gone = pidsOn(shards, machine);
  const at = nowMs();
  system.hosts[machine]!.losePower();
  while (!gone.every(hasEnded)) await sleep(1);
  return {
    blow: { shards: shardsOn(shards, machine), at, deadAt: nowMs() },
    mend: () => system.powerOn(machine),
    gone,
    seen: { broken: [], machine },
  };
};

/** The cable of a machine is pulled; what runs there goes on and reaches nobody. */
export const pullCable: Fault = async (system, shards, shard) => {
  const { machine } = shards[shard]!.primary;
  const at = nowMs();
  await cut(system.hosts[machine]!);
  return {
    blow: { shards: shardsOn(shards, machine), at, deadAt: nowMs() },
    mend: () => mend(system.hosts[machine]!),
    gone: [],
    seen: { broken: [], machine },
  };
};

export const pidsOn = (shards: readonly Shard[], machine: number): number[] =>
  shards
    .flatMap(({ primary, replicas }) => [primary, ...replicas])
    .filter((node) => node.machine === machine)
    .map(({ pid }) => pid);

/** Places of the shards whose primary is there. */
export const shardsOn = (shards: readonly Shard[], machine: number): number[] =>
  shards.flatMap(({ primary }, place) => (primary.machine === machine ? [place] : []));
