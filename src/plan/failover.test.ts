import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, killed, readyWorld } from '../../test/support/worlds.ts';
import type { AnsweringEngine, DatabaseView, NodeView, PeerView } from '../domain/view.ts';
import { plan } from './plan.ts';
import type { Step } from './step.ts';

/** The view in which a node's links to others are as `isUp` says. */
function linked(view: DatabaseView, id: string, isUp: (peer: PeerView) => boolean): DatabaseView {
  const node = view.nodes.get(id)!;
  assert.ok(node.engine.state === 'answering');
  const peers = node.engine.peers.map((peer) => ({ ...peer, linkUp: isUp(peer) }));
  return { ...view, nodes: new Map(view.nodes).set(id, { ...node, engine: { ...node.engine, peers } }) };
}

it('asks for votes once the replica is linked to those who would give them', () => {
  const { database, view } = readyWorld(fleet(3));
  const [primary, replica] = database.nodes.filter(({ shard }) => shard === 'shard-1').map(({ id }) => id);
  const voter = database.nodes.find(({ shard }) => shard === 'shard-2')!.id;
  const dead = killed(view, primary!);
  const early = plan(
    database,
    linked(dead, replica!, ({ id }) => id !== voter),
  );
  assert.deepEqual(early.steps, []);
  assert.match(early.blocked[0]!.reason, /links to the primaries that would vote/);
  const [step] = plan(
    database,
    linked(dead, replica!, () => true),
  ).steps;
  assert.ok(step?.kind === 'promote' && step.target === replica && step.args.mode === 'force');
});

it('starts a dead copy that must be heard of before another is promoted', () => {
  const { database, view } = readyWorld(fleet(3), {
    shards: 1,
    replicas: 2,
    durability: 'acknowledged',
    persistence: 'none',
  });
  const [primary, first, second] = database.nodes.map(({ id }) => id);
  const { blocked, steps } = plan(database, killed(killed(view, primary!), second!));
  assert.match(blocked[0]!.reason, /1 of 2 copies answer, and 2 must/);
  const [start, ...others] = steps;
  assert.ok(start?.kind === 'start_node' && start.target === second && start.args.replicaOf?.id === primary);
  assert.deepEqual(others, []);
  const [promotion] = plan(database, killed(view, primary!)).steps;
  assert.ok(promotion?.kind === 'promote' && [first, second].includes(promotion.target));
});

it('starts a dead primary from its whole log where a copy has lost what it had acknowledged', () => {
  const { database, view } = readyWorld(fleet(3), { shards: 1, replicas: 2, durability: 'acknowledged' });
  const [primary, first, second] = database.nodes.map(({ id }) => id);
  const dead = killed(view, primary!);
  const copying = dead.nodes.get(second!)!;
  assert.ok(copying.engine.state === 'answering');
  const engine = { ...copying.engine, offset: 1, syncInProgress: true };
  const nodes = new Map(dead.nodes).set(second!, { ...copying, engine });
  const isPromotion = (step: Step): boolean => step.kind === 'promote' && [first, second].includes(step.target);
  assert.ok(plan(database, dead).steps.some(isPromotion));
  assert.ok(!plan(database, { ...dead, nodes }).steps.some(isPromotion));
});

it('compares offsets within the history that the primary wrote last', () => {
  const { database, view } = readyWorld(fleet(3), { shards: 1, replicas: 2 });
  const [primary, first, second] = database.nodes.map(({ id }) => id);
  const lost = killed(view, primary!);
  const seen = (id: string, change: Partial<AnsweringEngine>): [string, NodeView] => {
    const node = lost.nodes.get(id)!;
    assert.ok(node.engine.state === 'answering');
    return [id, { ...node, engine: { ...node.engine, linkUp: false, streamedBytes: 1, ...change } }];
  };
  const promoted = (a: Partial<AnsweringEngine>, b: Partial<AnsweringEngine>): string | undefined => {
    const nodes = new Map([...lost.nodes, seen(first!, a), seen(second!, b)]);
    return plan(database, { ...lost, nodes }).steps.find(({ kind }) => kind === 'promote')?.target;
  };
  const old = { history: 'old', linkDownSeconds: 20, offset: 900 };
  assert.equal(promoted(old, { history: 'new', linkDownSeconds: 1, offset: 100 }), second);
  assert.equal(promoted({ history: 'new', linkDownSeconds: 1, offset: 100 }, old), first);
  assert.equal(promoted(old, { history: 'old', linkDownSeconds: 1, offset: 800 }), first);
});

it('starts a dead primary from its complete log rather than promote a copy that had nothing of its stream of late', () => {
  for (const [persistence, kind, seen, deadSeconds] of [
    ['aof', 'start_node', { streamedBytes: 0 }],
    ['snapshot', 'promote', { streamedBytes: 0 }],
    ['none', 'promote', { streamedBytes: 0 }],
    ['aof', 'start_node', { linkUp: false, linkDownSeconds: 40 }],
    ['aof', 'promote', { linkUp: false, linkDownSeconds: 2 }],
    ['aof', 'promote', { linkUp: false, linkDownSeconds: 40 }, 35],
    ['snapshot', 'promote', { linkUp: false, linkDownSeconds: 40 }],
  ] as const) {
    const { database, view } = readyWorld(fleet(3), { persistence });
    const dead = database.nodes.find(({ birth }) => birth.role === 'primary')!;
    const copy = database.nodes.find(({ shard, id }) => shard === dead.shard && id !== dead.id)!;
    const hurt = killed(view, dead.id);
    const node = hurt.nodes.get(copy.id)!;
    assert.ok(node.engine.state === 'answering');
    const nodes = new Map(hurt.nodes).set(copy.id, { ...node, engine: { ...node.engine, ...seen } });
    const down = deadSeconds === undefined ? null : { since: hurt.at - deadSeconds * 1_000, deaths: 1 };
    nodes.set(dead.id, { ...hurt.nodes.get(dead.id)!, down });
    const what = `${persistence}, ${JSON.stringify(seen)}, dead for ${deadSeconds} s`;
    assert.equal(plan(database, { ...hurt, nodes }).steps[0]?.kind, kind, what);
  }
});
