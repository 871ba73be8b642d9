/** Slots on their way: what moves when, what waits, and what leaves at the end. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fleet, killed, outOfReach, readyWorld } from '../../test/support/worlds.ts';
import type { Database, NodeAssignment } from '../domain/database.ts';
import type { Reshard, SlotMigration, SlotsByShard } from '../domain/reshard.ts';
import { countSlots, SLOT_COUNT } from '../domain/slots.ts';
import type { AnsweringEngine, DatabaseView, NodeView } from '../domain/view.ts';
import { ABSENT, afterStep } from './effects.ts';
import { forecast } from './forecast.ts';
import { plan } from './plan.ts';
import { activeJob, isReshardOver, misplaced, withoutReshard } from './reshard.ts';
import { statusOf } from './status.ts';
import type { Step } from './step.ts';
import { shardTopology } from './topology.ts';

interface World {
  database: Database;
  view: DatabaseView;
}

const wish = { shards: 3, replicas: 1, memoryBytes: 300 * 1024 ** 2 } as const;
const NOW = 1_000_000;

/** Each of so many shards gets its part; those above leave. */
function evenly(names: readonly string[], count: number): SlotsByShard {
  const bound = (index: number): number => Math.round((index * SLOT_COUNT) / count);
  return Object.fromEntries(
    names.map((name, index) => [name, index < count ? [[bound(index), bound(index + 1) - 1] as const] : []]),
  );
}

/** Three shards that are to be so many; the nodes of new ones do not exist yet. */
function towards(count: number, facts: Partial<Reshard> = {}): World {
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
    estimate: { slots: 1, keys: 0, bytes: 0, jobs: 1, largestSlotKeys: 0, seconds: 1, peakBytes: 0, longestWaitMs: 60 },
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

const moves = (steps: readonly Step[]) => steps.filter((step) => step.kind === 'move_slots');

/** The world with what a shard's primary says of its jobs. */
function telling({ database, view }: World, shard: string, jobs: readonly Partial<SlotMigration>[]): World {
  const { id } = shardTopology(database, view, shard).owner!.assignment;
  const whole = jobs.map((job, index): SlotMigration => {
    const facts = { name: `job-${index}`, side: 'export', slots: [[0, 1]], source: id, target: '' } as const;
    const ending = { state: 'failed', phase: 'failed', message: 'no memory', createdAt: 1, updatedAt: 1 } as const;
    return { ...facts, ...ending, remainingBytes: 0, ...job };
  });
  const node: NodeView = { ...view.nodes.get(id)!, migrations: whole };
  return { database, view: { ...view, nodes: new Map(view.nodes).set(id, node) } };
}

describe('a database that is to have more shards', () => {
  it('makes the nodes of the new ones first, moves slots once these are in sync, and one job at a time', () => {
    const { database, view } = towards(5);
    const { stages, view: end } = forecast(database, view);
    const kinds = stages.map(({ steps }) => steps.map(({ kind }) => kind));
    assert.ok(kinds.every((stage) => stage.filter((kind) => kind === 'move_slots').length <= 1));
    const firstMove = kinds.findIndex((stage) => stage.includes('move_slots'));
    assert.ok(kinds.findLastIndex((stage) => stage.includes('replicate')) < firstMove);
    assert.ok(kinds.findLastIndex((stage) => stage.includes('create_node')) < firstMove);
    const shards = ['shard-1', 'shard-2', 'shard-3', 'shard-4', 'shard-5'].map((name) =>
      shardTopology(database, end, name),
    );
    for (const { name, slots } of shards) assert.deepEqual(slots, database.reshard!.goal[name]);
    assert.ok(isReshardOver(database, end));
    assert.equal(isReshardOver(database, view), false);
  });

  it('keeps the memory that a shard had until all slots have moved, and logs less meanwhile', () => {
    const { database, view } = towards(5);
    const changed = (record: Database, seen: DatabaseView) =>
      plan(record, seen).steps.flatMap((step) => (step.kind === 'configure' ? [Object.keys(step.args.settings)] : []));
    const before = changed(database, view);
    assert.ok(before.length > 0 && before.every((names) => names.join() === 'loglevel'), before.join(' '));
    const after = changed({ ...database, reshard: null }, forecast(database, view).view);
    assert.ok(after.length > 0 && after.every((names) => names.includes('maxmemory') && names.includes('loglevel')));
  });
});

describe('a database that is to have fewer shards', () => {
  it('takes those out that own nothing, all at once and last', () => {
    const { database, view } = towards(1);
    const { stages } = forecast(database, view);
    const retiring = stages.findIndex(({ steps }) => steps.some(({ kind }) => kind === 'retire_shard'));
    const lastMove = stages.findLastIndex(({ steps }) => moves(steps).length > 0);
    assert.ok(retiring > lastMove && lastMove >= 0);
    const gone = stages[retiring]!.steps.filter(({ kind }) => kind === 'retire_shard').map(({ target }) => target);
    assert.deepEqual(gone, ['shard-2', 'shard-3']);
  });

  it('lets a shard without slots stay for two seconds after the last job, so that its clients are answered', () => {
    const empty = forecastUntil(towards(2), 'retire_shard');
    const keptFor = (agoMs: number) => {
      const world = telling({ ...empty, view: { ...empty.view, at: NOW } }, 'shard-1', [
        { state: 'success', phase: 'success', updatedAt: NOW - agoMs },
      ]);
      return plan(world.database, world.view).steps.every(({ kind }) => kind !== 'retire_shard');
    };
    assert.deepEqual([keptFor(1_900), keptFor(2_100)], [true, false]);
  });

  it('takes no shard out while it is not certain that it owns nothing', () => {
    const { database, view } = towards(2);
    const { stages } = forecast(database, view);
    const before = stages.find(({ steps }) => steps.some(({ kind }) => kind === 'retire_shard'))!;
    assert.ok(before.plan.problems.some(({ code }) => code === 'shard_leaving'));
    // The same world, but one of the primaries that own all slots is not heard of.
    const moved = forecastUntil(towards(2), 'retire_shard');
    const owner = shardTopology(moved.database, moved.view, 'shard-1').owner!.assignment.id;
    const unseen = { ...moved, view: outOfReach(moved.view, owner) };
    assert.deepEqual(
      plan(unseen.database, unseen.view).steps.filter(({ kind }) => kind === 'retire_shard'),
      [],
    );
  });
});

describe('the end of a reshard', () => {
  it('waits for a job that still runs when it is given up: that takes slots away from where they are to be', () => {
    const { database, view } = towards(1);
    const { before } = database.reshard!;
    const spec = { ...database.spec, shards: before.shards };
    const cancelled = { ...database, spec, reshard: { ...database.reshard!, goal: before.goal, cancels: true } };
    assert.ok(isReshardOver(cancelled, view));
    const moving = telling({ database: cancelled, view }, 'shard-3', [{ state: 'active', phase: 'replicating' }]);
    assert.equal(isReshardOver(cancelled, moving.view), false);
    const ended = telling({ database: cancelled, view }, 'shard-3', [{ state: 'failed' }]);
    assert.ok(isReshardOver(cancelled, ended.view));
  });

  it('is not believed while an owner does not say itself what it owns', () => {
    const { database, view } = towards(5);
    const { view: end } = forecast(database, view);
    const owner = shardTopology(database, end, 'shard-1').owner!.assignment.id;
    assert.equal(isReshardOver(database, outOfReach(end, owner)), false);
  });

  it('leaves a record alone that was given up after the look', () => {
    const { database } = towards(5);
    assert.equal(withoutReshard(database, database).reshard, null);
    const paused = { ...database, reshard: { ...database.reshard!, paused: true } };
    assert.equal(withoutReshard(paused, database).reshard, null);
    const cancelled = { ...database, generation: database.generation + 1 };
    assert.equal(withoutReshard(cancelled, database), cancelled);
  });
});

/** The world in which a step of this kind is planned first. */
function forecastUntil({ database, view }: World, kind: Step['kind']): World {
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

describe('the next job', () => {
  const nextJob = ({ database, view }: World): Step[] => moves(plan(database, view).steps);
  /** All that comes before the first move is done. */
  const moving = (count: number, facts: Partial<Reshard> = {}): World => {
    const { database, view } = forecastUntil(towards(count), 'move_slots');
    return { database: { ...database, reshard: { ...database.reshard!, ...facts } }, view: { ...view, at: NOW } };
  };

  it('begins only when none is under way and nothing else is wrong', () => {
    const ready = moving(2);
    assert.equal(nextJob(ready).length, 1);
    assert.equal(nextJob(telling(ready, 'shard-1', [{ state: 'active', phase: 'snapshotting' }])).length, 0);
    const replica = shardTopology(ready.database, ready.view, 'shard-1').members[1]!.assignment.id;
    const hurt = { ...ready, view: killed(ready.view, replica) };
    assert.equal(nextJob(hurt).length, 0);
    assert.match(
      plan(hurt.database, hurt.view)
        .blocked.map(({ reason }) => reason)
        .join(),
      /no slots move while this holds/,
    );
  });

  const engineOf = ({ view }: World, id: string): AnsweringEngine => {
    const engine = view.nodes.get(id)?.engine;
    assert.ok(engine?.state === 'answering');
    return engine;
  };
  const withEngine = (world: World, id: string, facts: Partial<AnsweringEngine>): World => {
    const node: NodeView = { ...world.view.nodes.get(id)!, engine: { ...engineOf(world, id), ...facts } };
    return { ...world, view: { ...world.view, nodes: new Map(world.view.nodes).set(id, node) } };
  };
  const withAll = (world: World, facts: Partial<AnsweringEngine>): World =>
    [...world.view.nodes.keys()].reduce((changed, id) => withEngine(changed, id, facts), world);
  const targetOf = (world: World): string => {
    const [job] = nextJob(world);
    assert.ok(job?.kind === 'move_slots');
    return job.args.moves[0]!.to;
  };
  const blockedReasons = ({ database, view }: World): string =>
    plan(database, view)
      .blocked.map(({ reason }) => reason)
      .join();

  it('does not begin while its target would refuse commands, as a primary does that has just started', () => {
    const ready = moving(5);
    const first = targetOf(ready);
    const oneRefuses = withEngine(ready, first, { clusterOk: false });
    const second = targetOf(oneRefuses);
    assert.notEqual(second, first, 'another move goes first');
    const allRefuse = withAll(ready, { clusterOk: false });
    assert.equal(nextJob(allRefuse).length, 0);
    assert.match(blockedReasons(allRefuse), /does not serve yet/);
  });

  it('does not begin where its target has no memory for it, unless that evicts', () => {
    const full = withAll(moving(4), { countedMemoryBytes: 99 * 1024 ** 2 });
    assert.equal(nextJob(full).length, 0);
    assert.match(blockedReasons(full), /uses 99mb of 100mb, too much for another .*--memory/);
    const spec = { ...full.database.spec, eviction: 'allkeys-lru' } as const;
    const evicting = { ...full, database: { ...full.database, spec } };
    assert.ok(!/too much for another/.test(blockedReasons(evicting)));
  });

  it('has fewer keys where keys are large', () => {
    const ready = moving(4);
    const [job] = nextJob(ready);
    const large = withEngine(ready, job!.target, { keys: 1_000, dataBytes: 1_000 * 1024 ** 2 });
    const [smaller] = nextJob(withAll(large, { countedMemoryBytes: -1e9 }));
    assert.ok(smaller?.kind === 'move_slots');
    assert.equal(smaller.args.most.keys, 256);
  });

  it('does not begin while a backup is made', () => {
    const ready = moving(4);
    const during = { ...ready, view: { ...ready.view, backup: 'big-1' } };
    assert.equal(nextJob(during).length, 0);
    assert.match(blockedReasons(during), /until the backup big-1 is made/);
  });

  it('does not begin while it is paused', () => {
    const paused = moving(2, { paused: true });
    assert.equal(nextJob(paused).length, 0);
    assert.ok(plan(paused.database, paused.view).problems.some(({ code }) => code === 'reshard_paused'));
  });

  it('has half of the keys after each failure, waits longer each time, and then a person is asked', () => {
    const keysAfter = (failures: number, agoMs = 60_000): number | undefined => {
      const jobs = Array.from({ length: failures }, (_, index) => ({ createdAt: index, updatedAt: NOW - agoMs }));
      const from = nextJob(moving(2))[0]!.target;
      const shard = moving(2).database.nodes.find(({ id }) => id === from)!.shard;
      const [job] = nextJob(telling(moving(2), shard, jobs));
      return job?.kind === 'move_slots' && job.target === from ? job.args.most.keys : undefined;
    };
    assert.deepEqual(
      [0, 1, 2, 3].map((failures) => keysAfter(failures)),
      [50_000, 25_000, 12_500, 6_250],
    );
    assert.equal(keysAfter(2, 1_500), undefined, 'two seconds after the second failure');
    assert.equal(keysAfter(2, 2_500), 12_500);
  });

  it('is watched at the furthest of those under way, whatever the order in which they are told', () => {
    const phases = ['waiting-to-snapshot', 'replicating', 'snapshotting'];
    for (const told of [phases, phases.toReversed()]) {
      const jobs = told.map((phase) => ({ state: 'active', phase, name: phase }) as const);
      assert.equal(activeJob(telling(moving(2), 'shard-1', jobs).view)?.name, 'replicating');
    }
  });

  it('counts jobs that were begun together once, and not when one of them came through', () => {
    const [job] = nextJob(moving(2));
    const shard = moving(2).database.nodes.find(({ id }) => id === job!.target)!.shard;
    const after = (...jobs: readonly Partial<SlotMigration>[]): unknown => {
      const [next] = nextJob(telling(moving(2), shard, jobs));
      return next?.kind === 'move_slots' && [next.args.most.keys, next.args.atOnce];
    };
    assert.deepEqual(after(), [50_000, 3]);
    assert.deepEqual(after({}, {}, {}), [25_000, 1], 'one by one after a failure');
    assert.deepEqual(after({}, { state: 'success' }, {}), [50_000, 3]);
  });

  it('moves no more to a target before the next look than it has room for', () => {
    const most = (freeBytes: number): unknown => {
      const ready = withAll(moving(4), { countedMemoryBytes: 95 * 1024 ** 2 - freeBytes });
      const source = nextJob(withAll(moving(4), { countedMemoryBytes: 0 }))[0]!.target;
      const [job] = nextJob(withEngine(ready, source, { keys: 1_000, dataBytes: 10 * 1024 ** 2 }));
      return job?.kind === 'move_slots' && job.args.moves[0]!.inARow;
    };
    assert.equal(most(25 * 1024 ** 2), 2);
    assert.equal(most(50 * 1024 ** 2), 5);
  });

  it('tells after four failures which slots, why and what helps; and counts anew when it is told to', () => {
    const failed = Array.from({ length: 4 }, (_, index) => ({ createdAt: index, updatedAt: NOW - 60_000 }));
    const stuck = telling(moving(1), 'shard-3', failed);
    const problem = plan(stuck.database, stuck.view).problems.find(({ code }) => code === 'reshard_stuck')!;
    assert.deepEqual([problem.params['shard'], problem.params['failures']], ['shard-3', 4]);
    assert.match(String(problem.params['remedy']), /--memory/);
    assert.equal(nextJob(stuck).length, 0);
    const again = telling(moving(1, { retriesFrom: NOW - 1 }), 'shard-3', failed);
    assert.ok(nextJob(again).length === 1);
  });

  it('keeps switchovers waiting while it is under way', () => {
    const { database, view } = telling(moving(2), 'shard-1', [{ state: 'active', phase: 'replicating' }]);
    const heir = shardTopology(database, view, 'shard-2').members[1]!.assignment.id;
    const wished = { ...database, wantedPrimaries: { 'shard-2': { node: heir, until: NOW + 60_000 } } };
    const { steps, blocked } = plan(wished, view);
    assert.ok(steps.every(({ kind }) => kind !== 'switch_over'));
    assert.match(blocked.map(({ reason }) => reason).join(), /slots are on their way/);
  });
});

describe('what is told of the way', () => {
  it('counts what is left, and is not ready before all is there', () => {
    const { database, view } = towards(5);
    const { problems } = plan(database, view);
    const status = statusOf(database, view, problems, new Map(), new Map());
    const shards = ['shard-1', 'shard-2', 'shard-3'].map((name) => shardTopology(database, view, name));
    const left = misplaced(database.reshard!, shards).reduce((sum, { slots }) => sum + countSlots(slots), 0);
    assert.deepEqual([status.reshard?.left, status.reshard?.state, status.state], [left, 'moving', 'updating']);
    assert.ok(left > 6_000 && left < 13_000);
  });

  it('shows the job as its source tells it, and what writers are paced to', () => {
    const job = { state: 'active', slots: [[0, 9]], phase: 'waiting-to-pause', remainingBytes: 7 } as const;
    const bySource = telling(towards(2), 'shard-3', [job]);
    const byBoth = telling(bySource, 'shard-1', [{ ...job, side: 'import', phase: 'any', remainingBytes: 0 }]);
    const shown = (paced?: number) =>
      statusOf(byBoth.database, byBoth.view, [], new Map(), new Map(), paced).reshard!.job!;
    const { from, phase, remainingBytes, paced } = shown(1_000);
    assert.deepEqual([from, phase, remainingBytes, paced], ['shard-3', 'waiting-to-pause', 7, 1_000]);
    assert.equal(shown().paced, null);
  });
});
