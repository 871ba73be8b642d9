/** Databases on their way to another number of shards, as a planner sees them. */
import type { Database, NodeAssignment } from '../../src/domain/database.ts';
import type { Reshard, SlotMigration, SlotsByShard } from '../../src/domain/reshard.ts';
import { SLOT_COUNT } from '../../src/domain/slots.ts';
import type { DatabaseView, NodeView } from '../../src/domain/view.ts';
import { ABSENT, afterStep } from '../../src/plan/effects.ts';
import { forecast } from '../../src/plan/forecast.ts';
import type { MoveStep } from '../../src/plan/slot-moves.ts';
import type { Step } from '../../src/plan/step.ts';
import { shardTopology } from '../../src/plan/topology.ts';
import { fleet, readyWorld } from './worlds.ts';

export interface World {
  database: Database;
  view: DatabaseView;
}

const wish = { shards: 3, replicas: 1, memoryBytes: 300 * 1024 ** 2 } as const;
export const NOW = 1_000_000;

/** Each of so many shards gets its part; those above leave. */
function evenly(names: readonly string[], count: number): SlotsByShard {
  const bound = (index: number): number => Math.round((index * SLOT_COUNT) / count);
  return Object.fromEntries(
    names.map((name, index) => [name, index < count ? [[bound(index), bound(index + 1) - 1] as const] : []]),
  );
}

/** Three shards that are to be so many; the nodes of new ones do not exist yet. */
export function towards(count: number, facts: Partial<Reshard> = {}): World {
  const { database, view } = readyWorld(fleet(4), wish);
  const before = Object.fromEntries(
    ['shard-1', 'shard-2', 'shard-3'].map((name) => [name, shardTopology(database, view, name).slots]),
  );
  const names = Array.from({ length: Math.max(3, count) }, (_, index) => `shard-${index + 1}`);
  const further = names.slice(3).flatMap((shard, index) =>
    [0, 1].map(
      (copy): NodeAssignment => ({
        ...{ id: `${shard}-${copy}`.padEnd(40, '0'), shard, machine: `machine-${1 + ((index + copy) % 4)}` },
        ...{ host: `10.0.1.${index}`, port: 7_100 + copy, tls: false, birth: { role: 'replica' } },
      }),
    ),
  );
  const reshard: Reshard = {
    ...{ goal: evenly(names, count), before: { shards: 3, goal: before }, paused: false, cancels: false },
    ...{ startedAt: 0, retriesFrom: 0 },
    estimate: {
      pace: 'fast',
      slots: 1,
      keys: 0,
      bytes: 0,
      jobs: 1,
      largestSlotKeys: 0,
      seconds: 1,
      peakBytes: 0,
      longestWaitMs: 60,
    },
    ...facts,
  };
  const nodes = new Map(view.nodes);
  for (const { id } of further) nodes.set(id, ABSENT);
  return {
    database: {
      ...database,
      spec: { ...database.spec, shards: count },
      ...{ generation: 2, observedGeneration: 1 },
      nodes: [...database.nodes, ...further],
      reshard,
    },
    view: { ...view, at: NOW, nodes },
  };
}

export const moves = (steps: readonly Step[]): MoveStep[] => steps.filter((step) => step.kind === 'move_slots');

/** The world with what a shard's primary says of its jobs. */
export function telling({ database, view }: World, shard: string, jobs: readonly Partial<SlotMigration>[]): World {
  const { id } = shardTopology(database, view, shard).owner!.assignment;
  const whole = jobs.map((job, index): SlotMigration => {
    const facts = { name: `job-${index}`, side: 'export', slots: [[0, 1]], source: id, target: '' } as const;
    const ending = { state: 'failed', phase: 'failed', message: 'no memory', createdAt: 1, updatedAt: 1 } as const;
    return { ...facts, ...ending, remainingBytes: 0, ...job };
  });
  const node: NodeView = { ...view.nodes.get(id)!, migrations: whole };
  return { database, view: { ...view, nodes: new Map(view.nodes).set(id, node) } };
}

/** The world in which a step of this kind is planned first. */
export function forecastUntil({ database, view }: World, kind: Step['kind']): World {
  let world = view;
  for (;;) {
    const { stages } = forecast(database, world);
    const [first] = stages;
    if (!first) throw new Error(`${kind} is never planned`);
    if (first.steps.some((step) => step.kind === kind)) return { database, view: world };
    world = stages[1] ? replay(database, world, first.steps) : world;
  }
}

function replay(database: Database, view: DatabaseView, steps: readonly Step[]): DatabaseView {
  return steps.reduce((now, step) => afterStep(database, now, step), view);
}
