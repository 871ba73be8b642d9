/** Whose word settings about snapshots and logs wait for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fleet, outOfReach, readyWorld } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import type { DatabaseSpec } from '../domain/spec.ts';
import type { AnsweringEngine, DatabaseView, Settings } from '../domain/view.ts';
import { plan } from './plan.ts';

const wish = (database: Database, change: Partial<DatabaseSpec>): Database => ({
  ...database,
  generation: 2,
  spec: { ...database.spec, ...change },
});

function withEngine(view: DatabaseView, id: string, change: Partial<AnsweringEngine>): DatabaseView {
  const node = view.nodes.get(id)!;
  assert.ok(node.engine.state === 'answering');
  return { ...view, nodes: new Map(view.nodes).set(id, { ...node, engine: { ...node.engine, ...change } }) };
}

const settingsFor = (id: string, ...[database, view]: Parameters<typeof plan>): Settings[] =>
  plan(database, view).steps.flatMap((step) =>
    step.kind === 'configure' && step.target === id ? [step.args.settings] : [],
  );

test('a node whose agent does not answer goes on saving by itself: the agent may be of a version that does not', () => {
  const { database, view } = readyWorld(fleet(3), { persistence: 'snapshot' });
  const { id } = database.nodes[0]!;
  const seen = view.nodes.get(id)!;
  assert.ok(seen.engine.state === 'answering');
  const earlier = { ...seen.engine.settings, save: '3600 1 300 100 60 10000', 'auto-aof-rewrite-percentage': '100' };
  const old = withEngine(view, id, { settings: earlier });
  assert.deepEqual(settingsFor(id, database, old), [{ save: '31536000 1', 'auto-aof-rewrite-percentage': '0' }]);
  const silent = { ...old.nodes.get(id)!, process: { state: 'unknown' } as const, disk: null };
  const away = { ...old, nodes: new Map(old.nodes).set(id, silent) };
  assert.deepEqual(settingsFor(id, database, away), []);
  const larger = settingsFor(id, wish(database, { memoryBytes: 512 * 1024 ** 2 }), away);
  assert.ok(larger.length === 1 && 'maxmemory' in larger[0]! && !('save' in larger[0]), JSON.stringify(larger));
  assert.deepEqual(settingsFor(id, database, outOfReach(old, id)), []);
});

test('a log is switched on where no other node of the machine saves', () => {
  const { database, view } = readyWorld(fleet(1), { persistence: 'none', shards: 2, replicas: 0 });
  const [first, second] = database.nodes.map(({ id }) => id) as [string, string];
  const wanted = wish(database, { persistence: 'aof' });
  assert.equal(settingsFor(second, wanted, view).length, 1);
  const busy = withEngine(view, first, { saving: true });
  assert.equal(settingsFor(second, wanted, busy).length, 0);
  const { settings } = busy.nodes.get(first)!.engine as AnsweringEngine;
  const log = { settings: { ...settings, appendonly: 'yes' }, logComplete: false };
  assert.equal(settingsFor(second, wanted, withEngine(view, first, log)).length, 0);
  assert.equal(settingsFor(second, wanted, withEngine(view, first, { ...log, logComplete: true })).length, 1);
  const fails = withEngine(view, first, { ...log, failingWrites: ['rewrite'] });
  assert.equal(settingsFor(second, wanted, fails).length, 1, 'one that cannot holds up nobody');
});
