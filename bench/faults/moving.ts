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
/** The kill comes so long after the job has begun, at random. */
const LATEST_MS = 400;
const SLOTS = 16_384;

/** The upper half of the longest range of the hit shard moves; its keys are a list of their own, behind the shards'. */
export function slotsWhileMoving(shards: readonly Shard[], shard: number): SlotRange[][] {
  const moving = movingOf(shards[shard]!.slots);
  const slots = shards.map((one) => [...one.slots]);
  slots[shard] = slots[shard]!.map(([from, to]) => (to === moving[1] ? [from, moving[0] - 1] : [from, to]));
  return [...slots, [moving]];
}

/** The upper half of the longest range. */
export function movingOf(slots: readonly SlotRange[]): SlotRange {
  const [from, to] = slots.reduce((longest, one) => (one[1] - one[0] > longest[1] - longest[0] ? one : longest));
  return [Math.ceil((from + to + 1) / 2), to];
}

/** Moves half of its slots to the next shard by hand, and kills its primary while they move. */
export const killWhileMoving =
  (random: Random): Fault =>
  async (system, shards, shard) => {
    const { primary, slots } = shards[shard]!;
    const target = shards[(shard + 1) % shards.length]!.primary;
    const [from, to] = movingOf(slots);
    const source = system.admin(primary);
    const seen: Awaited<ReturnType<Fault>>['seen'] = { broken: [], machine: primary.machine, moving: `${from}-${to}` };
    try {
      await source.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', from, to, 'NODE', target.id);
      await sleep(random.between(0, LATEST_MS));
      seen['jobState'] = stateOf(await source.command('CLUSTER', 'GETSLOTMIGRATIONS'));
    } finally {
      source.close();
    }
    const moment = signalAndSee(primary.pid, 'SIGKILL');
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
  const state = String(fields[fields.indexOf('state') + 1]);
  return OVER.test(state) ? `${state} (over before the kill)` : state;
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
