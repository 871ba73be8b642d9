import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fleet, killed, outOfReach, readyWorld } from '../../test/support/worlds.ts';
import type { DamageView, DatabaseView, DiskView } from '../domain/view.ts';
import { plan } from './plan.ts';

const SECOND = 1_000;
const LOG: DamageView = { file: 'appendonlydir/x.incr.aof', problem: 'its end is missing', cuttable: true };
const SNAPSHOT: DamageView = { file: 'dump.rdb', problem: 'its checksum is wrong', cuttable: false };

const world = (persistence: 'aof' | 'snapshot', replicas = 1) => {
  const { database, view } = readyWorld(fleet(3), { shards: 1, replicas, persistence });
  const primary = database.nodes.find(({ birth }) => birth.role === 'primary')!;
  const [copy, other] = database.nodes.filter(({ id }) => id !== primary.id);
  return { database, view, primary, copy: copy!, other };
};

function withDisk(view: DatabaseView, id: string, change: Partial<DiskView>): DatabaseView {
  const node = view.nodes.get(id)!;
  return { ...view, nodes: new Map(view.nodes).set(id, { ...node, disk: { ...node.disk!, ...change } }) };
}

const stepsOf = (...[database, view]: Parameters<typeof plan>) =>
  plan(database, view).steps.map(({ kind, target, because }) => [kind, target, because]);

test('a copy puts its damaged data aside, and starts empty', () => {
  const { database, view, copy } = world('aof');
  const dead = killed(view, copy.id);
  assert.deepEqual(stepsOf(database, withDisk(dead, copy.id, { damage: LOG })), [
    ['set_data_aside', copy.id, 'data_damaged'],
  ]);
});

test('not while its primary is dead, too: the data stays in its place', () => {
  const { database, view, primary, copy } = world('aof');
  const dead = killed(killed(view, primary.id), copy.id);
  const steps = stepsOf(database, withDisk(dead, copy.id, { damage: LOG }));
  assert.deepEqual(steps, [['start_node', primary.id, 'shard_down']]);
});

test('a copy in sync takes over from a primary with damaged data, as from any', () => {
  for (const damage of [LOG, SNAPSHOT]) {
    const { database, view, primary, copy } = world('aof');
    const steps = stepsOf(database, withDisk(killed(view, primary.id), primary.id, { damage }));
    assert.deepEqual(steps, [['promote', copy.id, 'primary_dead']]);
  }
});

test('of the last copy the end of a log is cut off; another damage waits for a person', () => {
  const { database, view, primary } = world('aof', 0);
  const dead = killed(view, primary.id);
  assert.deepEqual(stepsOf(database, withDisk(dead, primary.id, { damage: LOG })), [
    ['cut_log', primary.id, 'data_damaged'],
  ]);
  const { steps, problems } = plan(database, withDisk(dead, primary.id, { damage: SNAPSHOT }));
  assert.deepEqual(steps, []);
  const told = problems.find(({ code }) => code === 'data_damaged')!;
  assert.match(String(told.params['remedy']), /Put a whole dump\.rdb in its place/);
});

test('nothing is cut while a copy that is out of reach may hold what would be cut off, by an old claim', () => {
  const { database, view, primary, copy } = world('aof');
  const dead = outOfReach(killed(view, primary.id), copy.id);
  const steps = stepsOf(database, withDisk(dead, primary.id, { claimIsOld: true }));
  assert.deepEqual(steps, []);
  assert.deepEqual(stepsOf(database, dead), [['start_node', primary.id, 'primary_dead']], 'by its own claim it starts');
});

test('a dead copy is started instead of a primary that cannot be mended, unless it is much older', () => {
  for (const { persistence, olderMs, starts } of [
    { persistence: 'aof', olderMs: 59 * SECOND, starts: true },
    { persistence: 'aof', olderMs: 61 * SECOND, starts: false },
    { persistence: 'snapshot', olderMs: 3_599 * SECOND, starts: true },
    { persistence: 'snapshot', olderMs: 3_601 * SECOND, starts: false },
  ] as const) {
    const { database, view, primary, copy } = world(persistence);
    const dead = killed(killed(view, primary.id), copy.id);
    const damaged = withDisk(dead, primary.id, { damage: SNAPSHOT, dataAt: 10_000 * SECOND });
    const steps = stepsOf(database, withDisk(damaged, copy.id, { dataAt: 10_000 * SECOND - olderMs }));
    assert.deepEqual(steps, starts ? [['start_node', copy.id, 'shard_down']] : [], `${persistence} ${olderMs}`);
  }
});

test('what was cut off is told for a day', () => {
  const { database, view, primary } = world('aof', 0);
  const cut = { file: LOG.file, keptBytes: 900, cutBytes: 100, aside: '/data/x', at: 0 };
  const seen = withDisk(view, primary.id, { cut });
  const isTold = (at: number): boolean =>
    plan(database, { ...seen, at }).problems.some(({ code }) => code === 'data_cut');
  assert.deepEqual([isTold(0), isTold(86_399_999), isTold(86_400_000)], [true, true, false]);
});
