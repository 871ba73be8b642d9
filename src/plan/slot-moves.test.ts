/** Which slots move next: when, from which shards at once, and how many. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forecastUntil, moves, NOW, telling, towards, type World } from '../../test/support/reshard-worlds.ts';
import { killed } from '../../test/support/worlds.ts';
import type { Reshard, SlotMigration } from '../domain/reshard.ts';
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
    const failing = shardTopology(stuck.database, stuck.view, 'shard-3').owner!.assignment.id;
    const problem = plan(stuck.database, stuck.view).problems.find(({ code }) => code === 'reshard_stuck')!;
    assert.deepEqual([problem.params['shard'], problem.params['failures']], ['shard-3', 4]);
    assert.match(String(problem.params['remedy']), /--memory/);
    assert.equal(nextJob(stuck).length, 0);
    const again = telling(moving(1, { retriesFrom: NOW - 1 }), 'shard-3', failed);
    assert.ok(nextJob(again).some(({ target }) => target === failing));
  });

  /** Each of three shards is to give a part to each of two new ones. */
  const sharing = (): World =>
    moving(5, {
      goal: {
        'shard-1': [[0, 3_276]],
        'shard-2': [[5_461, 8_737]],
        'shard-3': [[10_923, 14_199]],
        'shard-4': [
          [3_277, 4_368],
          [8_738, 9_829],
          [14_200, 15_291],
        ],
        'shard-5': [
          [4_369, 5_460],
          [9_830, 10_922],
          [15_292, 16_383],
        ],
      },
    });
  const primaryOf = ({ database, view }: World, shard: string): string =>
    shardTopology(database, view, shard).owner!.assignment.id;
  const allTo = (id: string, steps: readonly MoveStep[]): boolean =>
    steps.every(({ args }) => args.moves.every(({ to }) => to === id));

  it('is given by several shards at once, to one target', () => {
    const ready = sharing();
    const steps = nextJob(ready);
    assert.equal(new Set(steps.map(({ target }) => target)).size, 3);
    const [first] = steps;
    assert.ok(allTo(first!.args.moves[0]!.to, steps));
  });

  it('is given by one shard at a time where waits are to be short', () => {
    const ready = sharing();
    const spec = { ...ready.database.spec, pace: 'gentle' } as const;
    const [step, ...others] = nextJob({ ...ready, database: { ...ready.database, spec } });
    assert.equal(others.length, 0);
    const { most, atOnce, ifQuiet } = step!.args;
    assert.deepEqual([most.keys, atOnce, ifQuiet?.most.keys, ifQuiet?.atOnce], [16_000, 1, 100_000, 3]);
  });

  it('is given by one shard of a machine at a time', () => {
    const ready = sharing();
    const together = ready.database.nodes.map((node) => ({ ...node, machine: 'machine-1' }));
    const steps = nextJob({ ...ready, database: { ...ready.database, nodes: together } });
    assert.equal(steps.length, 1);
    assert.equal(steps[0]!.args.moves.length, 2, 'alone it goes on to the next target without a look');
  });

  it('begins beside others that go to the same target, and waits for those that go to another', () => {
    const ready = sharing();
    const busy = primaryOf(ready, 'shard-1');
    const beside = (target: string): MoveStep[] =>
      nextJob(telling(ready, 'shard-1', [{ state: 'active', phase: 'snapshotting', source: busy, target }]));
    const [fourth, fifth] = ['shard-4', 'shard-5'].map((shard) => primaryOf(ready, shard));
    for (const target of [fourth!, fifth!]) {
      const steps = beside(target);
      assert.ok(steps.length > 0 && allTo(target, steps), target);
      assert.ok(steps.every((step) => step.target !== busy));
    }
    const targets = [fourth!, fifth!].map(
      (target) => ({ state: 'active', phase: 'replicating', target, name: target }) as const,
    );
    assert.deepEqual(nextJob(telling(ready, 'shard-1', targets)), [], 'a shard that gives to both gives alone');
  });

  it('shares the room of its target with those that are given beside it', () => {
    const withRoom = (jobs: number): World => {
      const usedBytes = (95 - 10 * jobs) * 1024 ** 2;
      return withAll(sharing(), { countedMemoryBytes: usedBytes, keys: 1_000, dataBytes: 10 * 1024 ** 2 });
    };
    const rooms = (world: World): number[] => nextJob(world).map(({ args }) => args.moves[0]!.inARow);
    assert.deepEqual(rooms(withRoom(7)), [2, 2, 2]);
    assert.deepEqual(rooms(withRoom(3)), [1, 1, 1]);
    assert.deepEqual(rooms(withRoom(2)), [1, 1]);
    assert.deepEqual(rooms(withRoom(1)), [1]);
  });

  it('may follow those under way as far as there is room beside them', () => {
    const follow = (jobs: number, giving: readonly string[]): number[] => {
      const usedBytes = (95 - 10 * jobs) * 1024 ** 2;
      const ready = withAll(sharing(), { countedMemoryBytes: usedBytes, keys: 1_000, dataBytes: 10 * 1024 ** 2 });
      const target = nextJob(ready)[0]!.args.moves[0]!.to;
      const world = giving.reduce(
        (told, shard) => telling(told, shard, [{ state: 'active', phase: 'snapshotting', name: shard, target }]),
        ready,
      );
      const { problems } = plan(world.database, world.view);
      const steps = furtherMoves(world.database, world.view, problems);
      assert.ok(steps.every((step) => giving.some((shard) => primaryOf(ready, shard) === step.target)));
      return steps.map(({ args }) => args.moves.find(({ to }) => to === target)?.inARow ?? 0);
    };
    assert.deepEqual(follow(9, ['shard-1']), [8]);
    assert.deepEqual(follow(9, ['shard-1', 'shard-2']), [3, 3]);
    assert.deepEqual(follow(3, ['shard-1', 'shard-2']), [0, 0], 'one of them at most: a look decides');
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
