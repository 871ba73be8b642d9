/** A primary that dies as slots come to it: its log is preferred only where the slots are its own. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, killed, readyWorld } from '../../test/support/worlds.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import type { SlotRange } from '../domain/slots.ts';
import type { AnsweringEngine, DatabaseView, NodeView } from '../domain/view.ts';
import { plan } from './plan.ts';

const MOVING: readonly SlotRange[] = [[6_000, 6_100]];
const KEPT: readonly SlotRange[] = [
  [5_461, 5_999],
  [6_101, 10_922],
];

/** What is planned some time after the target of a job ended. */
function planned(given: { taken: boolean; phase?: string; afterMs?: number; persistence?: 'aof' | 'none' }) {
  const { database, view } = readyWorld(fleet(3), { shards: 3, persistence: given.persistence ?? 'aof' });
  const idOf = (shard: string, index: number): string =>
    database.nodes.filter((node) => node.shard === shard)[index]!.id;
  const [target, replica, source] = [idOf('shard-1', 0), idOf('shard-1', 1), idOf('shard-2', 0)];
  const job = (side: SlotMigration['side'], phase: string): SlotMigration => ({
    ...{ name: 'job', side, slots: MOVING, source: '', target, state: 'active', phase },
    ...{ message: '', createdAt: 0, updatedAt: 0, remainingBytes: 0 },
  });
  const dead = killed(view, target);
  const nodes = new Map(dead.nodes);
  const change = (id: string, more: Partial<NodeView>): unknown => nodes.set(id, { ...nodes.get(id)!, ...more });
  change(replica, { migrations: [job('import', 'occurring-on-primary')] });
  const { engine } = nodes.get(source)!;
  assert.ok(engine.state === 'answering');
  if (given.taken) change(source, { engine: { ...engine, slots: KEPT } });
  if (given.phase) change(source, { migrations: [job('export', given.phase)] });
  const later: DatabaseView = { ...dead, nodes, at: dead.at + (given.afterMs ?? 0) };
  const { steps, blocked } = plan(database, later);
  return { target, replica, blocked, steps: steps.filter(({ because }) => because === 'primary_dead') };
}

it('starts the target from its log when the slots are its own, and the replica has not had all of them', () => {
  const { steps, target } = planned({ taken: true });
  assert.deepEqual(
    steps.map(({ kind, target: node, args }) => [kind, node, args]),
    [['start_node', target, { replicaOf: null }]],
  );
});

it('promotes the replica where the source goes on serving them, and where the log has less', () => {
  for (const { steps, replica } of [
    planned({ taken: false, phase: 'streaming' }),
    planned({ taken: true, persistence: 'none' }),
  ]) {
    assert.deepEqual(
      steps.map(({ kind, target }) => [kind, target]),
      [['promote', replica]],
    );
  }
});

it('waits a moment for what a source that let them go may yet hear', () => {
  const at = (afterMs: number) => planned({ taken: false, phase: 'failover-granted', afterMs });
  const early = at(100);
  assert.deepEqual(early.steps, []);
  assert.match(early.blocked[0]!.reason, /the slots that came to .* may be its own/);
  const late = at(300);
  assert.deepEqual(
    late.steps.map(({ kind, target }) => [kind, target]),
    [['promote', late.replica]],
  );
});

/** A target whose disk claims slots that the source serves; nobody can be promoted, as its replica does not answer. */
function claimed(given: { heardBy?: 'source' | 'another'; afterMs?: number; served?: boolean }) {
  const { database, view } = readyWorld(fleet(3), { shards: 3 });
  const idOf = (shard: string, index: number): string =>
    database.nodes.filter((node) => node.shard === shard)[index]!.id;
  const [target, replica, source] = [idOf('shard-1', 0), idOf('shard-1', 1), idOf('shard-2', 0)];
  const dead = killed(killed(view, target), replica);
  const nodes = new Map(dead.nodes);
  const before = nodes.get(target)!;
  const claim = { ...before.disk!.claim!, configEpoch: 1_000 };
  claim.slots = [...claim.slots, ...MOVING];
  nodes.set(target, { ...before, disk: { ...before.disk!, claim }, down: { since: dead.at, deaths: 1 } });
  const change = (id: string, more: Partial<AnsweringEngine>): void => {
    const node = nodes.get(id)!;
    assert.ok(node.engine.state === 'answering');
    nodes.set(id, { ...node, engine: { ...node.engine, ...more } });
  };
  if (given.served === false) change(source, { slots: KEPT });
  if (given.heardBy) {
    const knower = given.heardBy === 'source' ? source : idOf('shard-3', 0);
    const { engine } = nodes.get(knower)!;
    assert.ok(engine.state === 'answering');
    const told = { ...engine.peers.find(({ id }) => id === target)!, slots: claim.slots, configEpoch: 1_000 };
    change(knower, { peers: [...engine.peers.filter(({ id }) => id !== target), told] });
  }
  const { steps, blocked } = plan(database, { ...dead, nodes, at: dead.at + (given.afterMs ?? 1_000) });
  return { source, blocked, start: steps.find((step) => step.kind === 'start_node' && step.target === target) };
}

it('leaves slots of which nobody has heard to the source that serves them', () => {
  const { start, source } = claimed({});
  assert.ok(start?.kind === 'start_node');
  assert.deepEqual(
    start.args.yields?.map(({ id, slots }) => [id, slots]),
    [[source, MOVING]],
  );
});

it('starts it with all it claims where somebody has heard of it, or nobody serves them', () => {
  for (const given of [{ heardBy: 'another' }, { heardBy: 'source' }, { served: false }] as const) {
    assert.deepEqual(claimed(given).start?.args, { replicaOf: null }, JSON.stringify(given));
  }
});

it('does not start it while what it sent may yet be heard', () => {
  const { start, blocked } = claimed({ afterMs: 100 });
  assert.equal(start, undefined);
  assert.ok(blocked.some(({ reason }) => reason.includes('may be its own')));
});
