/** A primary that is killed while slots of its shard move to another. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { SlotRange } from '../../src/domain/slots.ts';
import type { Random } from '../../test/sim/random.ts';
import type { Fault } from './acts.ts';
import { type Owners, ownersIn, wrongIn } from './owners.ts';
import { signalAndSee } from './processes.ts';
import type { Shard, System } from './system.ts';
import { until } from './wait.ts';

const OVER = /^(?:success|failed|cancelled)$/;
/** States of a job at its source (`CLUSTER GETSLOTMIGRATIONS`) in which it is killed, one at random. */
const STATES = ['waiting-to-snapshot', 'snapshotting', 'replicating', 'failover-paused'] as const;
const POLL_MS = 1;

/** The upper half of the slots of the hit shard moves; its keys are a list of their own, behind the shards'. */
export function slotsWhileMoving(shards: readonly Shard[], shard: number): SlotRange[][] {
  const { staying, moving } = halves(shards[shard]!.slots);
  const slots = shards.map((one) => [...one.slots]);
  slots[shard] = staying;
  return [...slots, moving];
}

/** What stays and what moves: the lower half and the upper. */
export function halves(slots: readonly SlotRange[]): { staying: SlotRange[]; moving: SlotRange[] } {
  const half = Math.ceil(slots.reduce((sum, [from, to]) => sum + to - from + 1, 0) / 2);
  const staying: SlotRange[] = [];
  const moving: SlotRange[] = [];
  let before = 0;
  for (const [from, to] of slots) {
    const border = Math.min(to + 1, Math.max(from, from + half - before)); // the first one that moves
    if (border > from) staying.push([from, border - 1]);
    if (border <= to) moving.push([border, to]);
    before += to - from + 1;
  }
  return { staying, moving };
}

/** Moves half of its slots to the next shard by hand, and kills its primary while they move. */
export const killWhileMoving =
  (random: Random): Fault =>
  async (system, shards, shard) => {
    const { primary, slots } = shards[shard]!;
    const target = shards[(shard + 1) % shards.length]!.primary;
    const { moving } = halves(slots);
    const wanted = random.pick([...STATES]);
    const source = system.admin(primary);
    let jobState: string;
    try {
      await source.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', ...moving.flat(), 'NODE', target.id);
      do {
        await sleep(POLL_MS);
        jobState = stateOf(await source.command('CLUSTER', 'GETSLOTMIGRATIONS'));
      } while (jobState !== wanted && !OVER.test(jobState));
    } finally {
      source.close();
    }
    const moment = signalAndSee(primary.pid, 'SIGKILL');
    const seen: Awaited<ReturnType<Fault>>['seen'] = { broken: [], machine: primary.machine, wanted, jobState };
    return {
      blow: { shards: [shard], also: [shards.length], ...moment },
      mend: () => system.revive(primary),
      gone: [primary.pid],
      seen,
      afterwards: async () => {
        const wrong = await until('all nodes agree who owns what', async () => await disagreement(system));
        seen.broken.push(...wrong);
      },
    };
  };

function stateOf(jobs: unknown): string {
  const fields = ((jobs as unknown[])[0] ?? []) as unknown[];
  return String(fields[fields.indexOf('state') + 1]);
}

/** What is wrong with the ownership of slots that all nodes tell alike; null while they do not. */
async function disagreement(system: System): Promise<string[] | null> {
  const nodes = (await system.shards()).flatMap(({ primary, replicas }) => [primary, ...replicas]);
  return wrongIn(await Promise.all(nodes.map((node) => ownersSeenBy(system, node))));
}

async function ownersSeenBy(system: System, node: Shard['primary']): Promise<Owners> {
  const connection = system.admin(node);
  try {
    return ownersIn(String(await connection.command('CLUSTER', 'NODES')));
  } finally {
    connection.close();
  }
}
