/** Nodes that are to become replicas: when they may be told so while they run, and when they must be stopped for it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fleet, killed, outOfReach, readyWorld } from '../../test/support/worlds.ts';
import { type AnsweringEngine, answering, type DatabaseView } from '../domain/view.ts';
import { forecast } from './forecast.ts';
import { plan } from './plan.ts';
import { statusOf } from './status.ts';

/** The view with other facts of one engine. */
function changed(view: DatabaseView, id: string, facts: Partial<AnsweringEngine>): DatabaseView {
  const node = view.nodes.get(id)!;
  assert.ok(node.engine.state === 'answering');
  return { ...view, nodes: new Map(view.nodes).set(id, { ...node, engine: { ...node.engine, ...facts } }) };
}

/** A shard whose replica became a primary without slots but with keys; the owner's claim is a later one. */
function orphaned(facts: Partial<AnsweringEngine> = {}) {
  const { database, view } = readyWorld(fleet(3));
  const [owner, copy] = database.nodes.filter(({ shard }) => shard === 'shard-1').map(({ id }) => id);
  const served = changed(view, owner!, { configEpoch: 4, offset: 100 });
  const role = { role: 'primary', primaryId: null, configEpoch: 3, offset: 100, keys: 1 } as const;
  return { database, view: changed(served, copy!, { ...role, ...facts }), owner: owner!, orphan: copy! };
}

describe('a node that is to become a replica', () => {
  it('lets a node follow a primary only once it knows what that owns', () => {
    const { database, view } = readyWorld(fleet(3), { replicas: 2 });
    const [owner, copy] = database.nodes.filter(({ shard }) => shard === 'shard-1');
    const stray = changed(view, copy!.id, { primaryId: 'f'.repeat(40) });
    assert.deepEqual(
      plan(database, stray).steps.map(({ kind }) => kind),
      ['replicate'],
    );
    const { peers } = answering(stray.nodes.get(copy!.id))!;
    const unaware = peers.map((peer) => (peer.id === owner!.id ? { ...peer, slots: [] } : peer));
    assert.deepEqual(plan(database, changed(stray, copy!.id, { peers: unaware })).steps, []);
  });

  it('stops a primary with keys and no slots, and starts it fenced', () => {
    const { database, view, owner, orphan } = orphaned();
    const { stages, view: end } = forecast(database, view);
    assert.deepEqual(
      stages.map(({ steps }) => steps.map(({ kind, target }) => [kind, target])),
      [[['stop_node', orphan]], [['start_node', orphan]]],
    );
    assert.deepEqual(stages[0]!.steps[0]!.expects, { process: 'running', role: 'primary', ownsSlots: false });
    const [start] = stages[1]!.steps;
    assert.ok(start?.kind === 'start_node');
    assert.equal(start.args.replicaOf?.id, owner);
    assert.equal(statusOf(database, end, plan(database, end).problems, new Map(), new Map()).state, 'ready');
  });

  it('makes an empty one a replica while it runs', () => {
    const { database, view, orphan } = orphaned({ keys: 0 });
    assert.deepEqual(
      plan(database, view).steps.map(({ kind, target }) => [kind, target]),
      [['replicate', orphan]],
    );
  });

  it('does not stop one that may hold the last copy, or whose shard is not served beyond doubt', () => {
    const { database, view, owner, orphan } = orphaned();
    const doubts: Record<string, [DatabaseView, RegExp]> = {
      'an empty owner': [changed(view, owner, { keys: 0 }), /last copy/],
      'an owner with less history': [changed(view, owner, { offset: 99 }), /last copy/],
      'an earlier claim': [changed(view, owner, { configEpoch: 1 }), /not later/],
      'an equal claim': [changed(view, owner, { configEpoch: 3 }), /not later/],
      'an owner that loads': [changed(view, owner, { loading: true }), /serves its slots/],
      'an owner in a minority': [changed(view, owner, { clusterOk: false }), /serves its slots/],
      'slots that nobody serves': [changed(view, owner, { slotsOk: 16_383 }), /serves its slots/],
    };
    for (const [doubt, [doubtful, reason]] of Object.entries(doubts)) {
      const { problems, steps, blocked } = plan(database, doubtful);
      assert.deepEqual(steps, [], doubt);
      assert.ok(
        problems.some(({ code, node }) => code === 'primary_orphaned' && node === orphan),
        doubt,
      );
      assert.match(blocked[0]!.reason, reason, doubt);
    }
    for (const gone of [killed(view, owner), outOfReach(view, owner)]) {
      const { steps } = plan(database, gone);
      assert.deepEqual(
        steps.filter(({ kind }) => kind === 'stop_node'),
        [],
        'an owner that does not answer',
      );
    }
  });
});
