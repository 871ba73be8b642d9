/** A primary that is killed while slots of its shard move to another. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { SlotRange } from '../../src/domain/slots.ts';
import { parseClusterNodes } from '../../src/valkey/cluster-nodes.ts';
import type { Random } from '../../test/sim/random.ts';
import type { Fault } from './acts.ts';
import { signalAndSee } from './processes.ts';
import type { Shard, System } from './system.ts';
import { until } from './wait.ts';

const OVER = /^(?:success|failed|cancelled)$/;
/** States of a job at its source (`CLUSTER GETSLOTMIGRATIONS`) in which it is killed, one at random. */
const STATES = ['waiting-to-snapshot', 'snapshotting', 'replicating', 'failover-paused'] as const;
const POLL_MS = 1;
const SLOTS = 16_384;

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
  const views = await Promise.all(nodes.map((node) => ownersSeenBy(system, node)));
  const [first] = views as [Owners];
  if (views.some(({ text }) => text !== first.text)) return null;
  const wrong: string[] = [];
  if (first.owned !== SLOTS || first.distinct !== SLOTS)
    wrong.push(`${first.distinct} slots of ${SLOTS} have an owner`);
  if (first.idle > 0) wrong.push(`${first.idle} primaries without slots`);
  return wrong;
}

interface Owners {
  text: string;
  owned: number;
  distinct: number;
  idle: number;
}

async function ownersSeenBy(system: System, node: Shard['primary']): Promise<Owners> {
  const connection = system.admin(node);
  try {
    const lines = parseClusterNodes(String(await connection.command('CLUSTER', 'NODES')));
    const primaries = lines.filter(({ role }) => role === 'primary');
    const slots = primaries.flatMap((line) => line.slots.flatMap(([from, to]) => range(from, to)));
    const text = primaries
      .map((line) => `${line.id} ${JSON.stringify(line.slots)}`)
      .sort()
      .join('\n');
    const idle = primaries.filter((line) => line.slots.length === 0).length;
    return { text, owned: slots.length, distinct: new Set(slots).size, idle };
  } finally {
    connection.close();
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
