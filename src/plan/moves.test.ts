/** Copies that move: off a machine that drains, away from one that is lost or from a node that fails. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fleet, killed, outOfReach, readyWorld } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import type { DatabaseView, MachineView } from '../domain/view.ts';
import { afterStep } from './effects.ts';
import { recordAfter } from './membership.ts';
import { retireObstacle } from './moves.ts';
import { plan } from './plan.ts';
import { isInSync, shardTopology } from './topology.ts';

interface World {
  database: Database;
  view: DatabaseView;
}

const DELAY_MS = 60_000;
const wish = { shards: 3, replicas: 1, memoryBytes: 300 * 1024 ** 2 } as const;

const change = ({ database, view }: World, name: string, facts: Partial<MachineView>): World => ({
  database,
  view: { ...view, machines: view.machines.map((one) => (one.name === name ? { ...one, ...facts } : one)) },
});

/** Its agent and its nodes are away since the time 0. */
function lost(world: World, name: string): World {
  const gone = change(world, name, { connected: false, since: 0 });
  const ids = gone.database.nodes.filter(({ machine }) => machine === name).map(({ id }) => id);
  return { ...gone, view: ids.reduce(outOfReach, gone.view) };
}

const at = ({ database, view }: World, ms: number): World => ({ database, view: { ...view, at: ms } });

const on = ({ database }: World, name: string): string[] =>
  database.nodes.filter(({ machine }) => machine === name).map(({ id }) => id);

/** The world after the steps that are planned for now, and their kinds. */
function pass({ database, view }: World): { world: World; kinds: string[]; blocked: string[] } {
  const { steps, blocked } = plan(database, view);
  let world: World = { database, view };
  for (const step of steps) {
    const next = recordAfter(world.database, world.view, step);
    world = { database: next, view: afterStep(next, world.view, step) };
  }
  return { world, kinds: steps.map(({ kind }) => kind), blocked: blocked.map(({ reason }) => reason) };
}

/** Until nothing is left to do; `each` sees every world on the way. */
function settled(start: World, each: (world: World) => void = () => {}): { world: World; kinds: string[] } {
  let world = start;
  const kinds: string[] = [];
  for (let passes = 0; passes < 60; passes += 1) {
    each(world);
    const next = pass(world);
    if (next.kinds.length === 0) return { world, kinds };
    kinds.push(...next.kinds);
    world = next.world;
  }
  throw new Error(`no end: ${kinds.join(' ')}`);
}

const copiesInSync = ({ database, view }: World, shard: string): number => {
  const { owner, members } = shardTopology(database, view, shard);
  return members.filter((member) => member === owner || isInSync(member, owner)).length;
};

/** It was started again and again, and died each time. */
function failing(view: DatabaseView, id: string): DatabaseView {
  const dead = killed(view, id);
  return { ...dead, nodes: new Map(dead.nodes).set(id, { ...dead.nodes.get(id)!, down: { since: 0, deaths: 3 } }) };
}

const SHARDS = ['shard-1', 'shard-2', 'shard-3'];

describe('a machine that is being emptied', () => {
  it('is left by new copies first, then its primaries, and nothing is ever short', () => {
    const drained = change(readyWorld(fleet(4), wish), 'machine-1', { state: 'draining' });
    assert.ok(on(drained, 'machine-1').length > 0);
    const { world, kinds } = settled(drained, (now) => {
      for (const shard of SHARDS) assert.ok(copiesInSync(now, shard) >= 2, shard);
    });
    assert.deepEqual(on(world, 'machine-1'), []);
    assert.equal(world.database.nodes.length, 6);
    assert.deepEqual(world.database.retired, []);
    const order = ['add_copy', 'switch_over', 'retire_copy', 'clear_retired'].map((kind) => kinds.indexOf(kind));
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.ok(
      order.every((place) => place >= 0),
      kinds.join(' '),
    );
  });

  it('keeps what has not left yet when it is resumed, and what was made for nothing goes', () => {
    const ready = readyWorld(fleet(4), wish);
    const before = new Set(ready.database.nodes.map(({ id }) => id));
    const { world } = pass(change(ready, 'machine-1', { state: 'draining' }));
    assert.ok(world.database.nodes.length > 6);
    const resumed = settled(change(world, 'machine-1', { state: 'active' })).world;
    assert.deepEqual(new Set(resumed.database.nodes.map(({ id }) => id)), before);
  });

  it('keeps its copies while no other machine can take them', () => {
    const drained = change(readyWorld(fleet(2), wish), 'machine-1', { state: 'draining' });
    const { world, kinds, blocked } = pass(drained);
    assert.deepEqual(kinds, []);
    assert.match(blocked.join('\n'), /no machine can take a copy of shard-1: add one machine/);
    assert.equal(on(world, 'machine-1').length, 3);
  });
});

describe('a machine that is lost', () => {
  const replica = (world: World): World => {
    // A machine of which no primary is lost: who takes over is another matter.
    const primaries = SHARDS.map((shard) => shardTopology(world.database, world.view, shard).owner!.assignment.machine);
    const name = world.view.machines.map((one) => one.name).find((one) => !primaries.includes(one));
    assert.ok(name);
    return lost(world, name);
  };
  const ready = (): World => readyWorld(fleet(4), wish);
  const lostName = ({ view }: World): string => view.machines.find(({ connected }) => !connected)!.name;

  it('has its copies made anew elsewhere, not before its time', () => {
    const world = replica(ready());
    const name = lostName(world);
    assert.ok(!pass(at(world, DELAY_MS - 1)).kinds.includes('add_copy'));
    const { world: healed } = settled(at(world, DELAY_MS));
    assert.deepEqual(on(healed, name), []);
    assert.equal(healed.database.nodes.length, 6);
    assert.ok(SHARDS.every((shard) => copiesInSync(healed, shard) === 2));
    assert.ok(healed.database.retired.every(({ machine }) => machine === name));
    assert.ok(healed.database.retired.length > 0, 'what is left there is to be removed when it comes back');
  });

  it('finds nothing of its own in use when it comes back: what it has is removed', () => {
    const { world } = settled(at(replica(ready()), DELAY_MS));
    const name = lostName(world);
    const nodes = new Map(world.view.nodes);
    for (const { id } of world.database.retired) {
      nodes.set(id, { ...nodes.get(id)!, process: { state: 'running', pid: 9 } });
    }
    const back = change({ ...world, view: { ...world.view, nodes } }, name, { connected: true });
    const { kinds, world: after } = settled(back);
    assert.ok(kinds.includes('clear_retired'));
    assert.deepEqual(after.database.retired, []);
    assert.deepEqual(on(after, name), []);
  });

  it('keeps its copies where it comes back before they have been made anew', () => {
    const world = replica(ready());
    const kept = on(world, lostName(world));
    const begun = pass(at(world, DELAY_MS)).world;
    assert.ok(begun.database.nodes.length > 6);
    const back = change(begun, lostName(world), { connected: true });
    const nodes = new Map(back.view.nodes);
    for (const id of kept) nodes.set(id, ready().view.nodes.get(id)!);
    const { world: after } = settled({ ...back, view: { ...back.view, nodes } });
    assert.deepEqual(on(after, lostName(world)), kept);
    assert.equal(after.database.nodes.length, 6);
  });

  it('is not given up while a primary of the database does not answer', () => {
    const world = replica(ready());
    const owner = shardTopology(world.database, world.view, 'shard-1').owner!.assignment.id;
    const { kinds, blocked } = pass(at({ ...world, view: outOfReach(world.view, owner) }, DELAY_MS));
    assert.ok(!kinds.includes('retire_copy'));
    assert.ok(blocked.length > 0);
  });
});

describe('a node that does not run', () => {
  it('is replaced after its time, on its own machine if no other is there', () => {
    const ready = readyWorld(fleet(2), wish);
    const { members, owner } = shardTopology(ready.database, ready.view, 'shard-1');
    const { id, machine } = members.find((member) => member !== owner)!.assignment;
    const failed = { ...ready, view: failing(ready.view, id) };
    const { kinds } = pass(at(failed, DELAY_MS - 1));
    assert.ok(kinds.includes('start_node') && !kinds.includes('add_copy'), kinds.join(' '));
    const replaced = pass(at(failed, DELAY_MS));
    const made = replaced.world.database.nodes.at(-1)!;
    assert.deepEqual([made.shard, made.machine], ['shard-1', machine]);
  });

  it('leaves the record only when the copies that stay are in sync', () => {
    const ready = readyWorld(fleet(4), wish);
    const { members, owner } = shardTopology(ready.database, ready.view, 'shard-1');
    const { id } = members.find((member) => member !== owner)!.assignment;
    assert.match(retireObstacle(ready.database, ready.view, id) ?? '', /it is to stay/);
    assert.match(retireObstacle(ready.database, ready.view, owner!.assignment.id) ?? '', /it is the primary/);
    const failed = at({ ...ready, view: failing(ready.view, id) }, DELAY_MS);
    const add = plan(failed.database, failed.view).steps.find(({ kind }) => kind === 'add_copy')!;
    const database = recordAfter(failed.database, failed.view, add);
    const added = { database, view: afterStep(database, failed.view, add) };
    assert.match(retireObstacle(added.database, added.view, id) ?? '', /1 copy that stays is not in sync/);
  });
});
