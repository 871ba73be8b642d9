/** Which slots move next: when, from which shard, and how many. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forecastUntil, moves, NOW, telling, towards, type World } from '../../test/support/reshard-worlds.ts';
import { killed } from '../../test/support/worlds.ts';
import type { Reshard, SlotMigration } from '../domain/reshard.ts';
import type { Pace } from '../domain/spec.ts';
import type { AnsweringEngine, NodeView } from '../domain/view.ts';
import { plan } from './plan.ts';
import { activeJob } from './reshard.ts';
import { furtherMoves, type MoveStep } from './slot-moves.ts';
import { shardTopology } from './topology.ts';

describe('the next job', () => {
  const nextJob = ({ database, view }: World): MoveStep[] => moves(plan(database, view).steps);
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
    assert.equal(nextJob(again).length, 1);
  });

  it('is small where waits are to be short, and large where nobody waits', () => {
    const ready = moving(5);
    const limits = (pace: Pace) => {
      const spec = { ...ready.database.spec, pace };
      const [step] = nextJob({ ...ready, database: { ...ready.database, spec } });
      const { most, atOnce, ifQuiet } = step!.args;
      return [most.keys, atOnce, ifQuiet?.most.keys, ifQuiet?.atOnce];
    };
    assert.deepEqual(limits('gentle'), [16_000, 1, 100_000, 3]);
    assert.deepEqual(limits('fast'), [50_000, 3, 100_000, 3]);
  });

  it('may follow those under way as far as there is room beside them, however large they are', () => {
    const rooms = (pace: Pace, keys: number): unknown[] => {
      const facts = { countedMemoryBytes: 5 * 1024 ** 2, keys, dataBytes: 10 * 1024 ** 2 };
      const { database, view } = withAll(moving(4), facts);
      const ready = { view, database: { ...database, spec: { ...database.spec, pace } } };
      const { target, args } = nextJob(ready)[0]!;
      const { to } = args.moves[0]!;
      const shard = ready.database.nodes.find(({ id }) => id === target)!.shard;
      const jobs = ['one', 'two'].map(
        (name) => ({ state: 'active', phase: 'snapshotting', name, target: to }) as const,
      );
      const world = telling(ready, shard, jobs);
      const steps = furtherMoves(world.database, world.view, plan(world.database, world.view).problems);
      return [args.moves[0]!.inARow, steps.find((step) => step.target === target)!.args.moves[0]!.inARow];
    };
    assert.deepEqual(rooms('fast', 1_000), [9, 7]);
    assert.deepEqual(
      rooms('gentle', 32_000),
      [18, 14],
      'two of 32,000 keys may be under way, and each is one of 16,000',
    );
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
