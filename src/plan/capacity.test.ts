import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import type { AnsweringEngine, DatabaseView, PostponedFork } from '../domain/view.ts';
import { forecast } from './forecast.ts';
import { plan } from './plan.ts';

const world = () => {
  const { database, view } = readyWorld(fleet(3), { shards: 1, replicas: 1, persistence: 'aof' });
  const primary = database.nodes.find(({ birth }) => birth.role === 'primary')!;
  const copy = database.nodes.find(({ id }) => id !== primary.id)!;
  return { database, view, primary, copy };
};

function withEngine(view: DatabaseView, id: string, change: Partial<AnsweringEngine>): DatabaseView {
  const node = view.nodes.get(id)!;
  assert.ok(node.engine.state === 'answering');
  return { ...view, nodes: new Map(view.nodes).set(id, { ...node, engine: { ...node.engine, ...change } }) };
}

const FAILING = { failingWrites: ['log'], refusesWrites: true } as const;
const codes = (...[database, view]: Parameters<typeof plan>) => plan(database, view).problems.map(({ code }) => code);

test('a primary that refuses writes changes places with its copy once, and not back within ten minutes', () => {
  const { database, view, primary, copy } = world();
  const failing = withEngine(view, primary.id, FAILING);
  const { stages, view: end } = forecast(database, failing);
  assert.deepEqual(
    stages.flatMap(({ steps }) => steps.map(({ kind, target }) => [kind, target])),
    [
      ['want_primary', copy.id],
      ['switch_over', copy.id],
    ],
  );
  const wanted = { ...database, wantedPrimaries: { 'shard-1': { node: copy.id, until: 600_000 } } };
  const both = withEngine(withEngine(end, copy.id, FAILING), primary.id, { failingWrites: [], refusesWrites: false });
  assert.deepEqual(plan(wanted, { ...both, at: 599_999 }).steps, []);
});

test('not to a copy whose own disk fails, that is not in sync, or on the same machine; not where writes are taken', () => {
  const { database, view, primary, copy } = world();
  const failing = withEngine(view, primary.id, FAILING);
  const together = database.nodes.map((node) => ({ ...node, machine: primary.machine }));
  for (const [what, wanted, seen] of [
    ['its disk fails', database, withEngine(failing, copy.id, { failingWrites: ['rewrite'] })],
    ['its link is down', database, withEngine(failing, copy.id, { linkUp: false })],
    ['one machine', { ...database, nodes: together }, failing],
    ['only a rewrite fails', database, withEngine(view, primary.id, { failingWrites: ['rewrite'] })],
    ['the disk of a copy', database, withEngine(view, copy.id, FAILING)],
  ] as const) {
    const { steps, problems } = plan(wanted, seen);
    assert.ok(!steps.some(({ kind }) => kind === 'want_primary'), what);
    assert.ok(
      problems.some(({ code }) => code === 'disk_failing'),
      what,
    );
  }
});

test('memory above the limit is told of a primary that evicts nothing', () => {
  const { database, view, primary, copy } = world();
  const limit = Number(Object(view.nodes.get(primary.id)!.disk!.settings)['maxmemory']);
  const uses = (id: string, countedMemoryBytes: number) =>
    codes(database, withEngine(view, id, { countedMemoryBytes }));
  assert.ok(uses(primary.id, limit + 1).includes('memory_full'));
  assert.ok(!uses(primary.id, limit).includes('memory_full'));
  assert.ok(!uses(copy.id, limit + 1).includes('memory_full'));
});

test('a log that had to wait for the disk three times within a minute', () => {
  const { database, view, copy } = world();
  assert.ok(codes(database, withEngine(view, copy.id, { delayedFsyncs: 3 })).includes('disk_slow'));
  assert.ok(!codes(database, withEngine(view, copy.id, { delayedFsyncs: 2 })).includes('disk_slow'));
});

test('a snapshot that waits for memory is told with figures, also of a node that does not answer; one that waits its turn, with the other', () => {
  const { database, view, copy } = world();
  const told = (postponed: PostponedFork) => {
    const node = { ...view.nodes.get(copy.id)!, postponed, engine: { state: 'unknown', reason: 'timeout' } as const };
    const { problems } = plan(database, { ...view, nodes: new Map(view.nodes).set(copy.id, node) });
    return problems.find(({ code }) => code === 'fork_postponed')?.params;
  };
  const figures = { neededBytes: 2 * 1024 ** 3, availableBytes: 1024 ** 3 };
  const memory = told({ kind: 'snapshot', reason: 'memory', ...figures });
  assert.match(String(memory?.['why']), /2gb of memory.* 1gb/);
  const turn = told({ kind: 'rewrite', reason: 'turn', ...figures });
  assert.match(`${turn?.['why']} ${turn?.['effect']}`, /ten minutes.*log grows/);
  assert.ok(!codes(database, view).includes('fork_postponed'));
});
