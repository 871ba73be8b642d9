/** What a dry run says is what is then done: forecasts against the steps that the real control plane carries out on the model. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { type DatabaseSpec, EVICTION_POLICIES, PERSISTENCE_MODES } from '../../src/domain/spec.ts';
import type { DatabaseView } from '../../src/domain/view.ts';
import { forecast } from '../../src/plan/forecast.ts';
import { CONTROL_ALONE } from './minds.ts';
import type { Scenario } from './scenario.ts';
import { DATABASE, World } from './world.ts';

const CALM: Omit<Scenario, 'machines' | 'wish'> = {
  startsReady: true,
  troubleMs: 0,
  calmMs: 1,
  kinds: [],
  writesToTheEnd: false,
  deletesAtTheEnd: false,
  replaceAfterSeconds: 60,
  drains: [],
  alone: null,
  changes: [],
};
/** Virtual time within which a calm fleet does anything, and in which one that is done plans nothing. */
const LIMIT_MS = 60_000;
const QUIET_MS = 2_000;

/** Lets time go on until the database has been ready for a while, with this generation, and nothing is planned. */
async function untilDone(world: World, generation: number): Promise<void> {
  const deadline = world.now + LIMIT_MS;
  let { planned, now: since } = world;
  await world.timeline.run(() => {
    const status = world.control?.status(DATABASE);
    const isDone = status?.state === 'ready' && status.observedGeneration === generation;
    if (!isDone || world.planned !== planned) ({ planned, now: since } = world);
    return world.now - since > QUIET_MS || world.now > deadline;
  });
  assert.ok(world.now <= deadline, `not ready with generation ${generation} within ${LIMIT_MS} ms`);
}

async function observed(world: World): Promise<DatabaseView> {
  let view: DatabaseView | null = null;
  world.timeline.woke();
  void world.control!.view(DATABASE).then((seen) => {
    view = seen;
  });
  await world.timeline.run(() => view !== null);
  return view!;
}

/** Each node's steps in their order: different nodes' steps run side by side. */
function byNode(steps: readonly { kind: string; target: string }[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { kind, target } of steps) found[target] = [...(found[target] ?? []), kind];
  return found;
}

const shapes = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  machines: fc.integer({ min: 2, max: 4 }),
  shards: fc.integer({ min: 1, max: 4 }),
  replicas: fc.integer({ min: 0, max: 1 }),
  persistence: fc.constantFrom(...PERSISTENCE_MODES),
});

const changes: fc.Arbitrary<Partial<DatabaseSpec>> = fc.record(
  {
    memoryBytes: fc.constantFrom(64, 256, 1024).map((mib) => mib * 1024 ** 2),
    eviction: fc.constantFrom(...EVICTION_POLICIES),
    persistence: fc.constantFrom(...PERSISTENCE_MODES),
  },
  { requiredKeys: [] },
);

it('forecasts for a change of settings exactly the steps that are then carried out', async () => {
  let steps = 0;
  await fc.assert(
    fc.asyncProperty(shapes, changes, async ({ seed, machines, ...wish }, change) => {
      const world = new World(seed, { ...CALM, machines, wish }, CONTROL_ALONE);
      world.begin();
      await untilDone(world, 1);
      const present = world.control!.database(DATABASE)!;
      const wanted = { ...present, spec: { ...present.spec, ...change }, generation: 2 };
      const { stages, blocked } = forecast(wanted, await observed(world));
      assert.deepEqual(blocked, []);
      const before = world.stepsDone.length;
      world.changeSpec(change);
      await untilDone(world, 2);
      const done = world.stepsDone.slice(before);
      steps += done.length;
      assert.deepEqual(byNode(done), byNode(stages.flatMap((stage) => stage.steps)));
      world.killControl();
    }),
    { numRuns: 40 },
  );
  assert.ok(steps > 100, `${steps} steps`);
});

it('forecasts for a creation the nodes, roles and slots that then come into being', async () => {
  const lasting = ['create_node', 'claim_slots', 'replicate'];
  await fc.assert(
    fc.asyncProperty(shapes, async ({ seed, machines, ...wish }) => {
      const world = new World(seed, { ...CALM, machines, wish }, CONTROL_ALONE);
      world.begin();
      await world.timeline.run(() => world.control?.database(DATABASE) !== undefined);
      const database = world.control!.database(DATABASE)!;
      const nothing = {
        process: { state: 'absent' },
        disk: null,
        engine: { state: 'unknown', reason: '' },
        down: null,
      } as const;
      const nodes = new Map(database.nodes.map(({ id }) => [id, nothing]));
      const { stages } = forecast(database, { at: 0, machines: [], nodes });
      await untilDone(world, 1);
      const only = (all: readonly { kind: string; target: string }[]) =>
        byNode(all.filter(({ kind }) => lasting.includes(kind)));
      assert.deepEqual(only(world.stepsDone), only(stages.flatMap(({ steps }) => steps)));
      world.killControl();
    }),
    { numRuns: 20 },
  );
});
