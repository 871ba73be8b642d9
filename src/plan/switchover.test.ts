import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fleet, killed, readyWorld } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import type { DatabaseView } from '../domain/view.ts';
import { afterStep } from './effects.ts';
import { plan } from './plan.ts';
import { endedWishes, switchoverOf, withoutWishes } from './switchover.ts';
import { shardTopology } from './topology.ts';

const UNTIL = 1_000;

const copiesOf = ({ nodes }: Database, shard: string): string[] =>
  nodes.filter((node) => node.shard === shard).map(({ id }) => id);

const wishing = (database: Database, shard: string, node: string): Database => ({
  ...database,
  wantedPrimaries: { ...database.wantedPrimaries, [shard]: { node, until: UNTIL } },
});

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('a planned switchover', () => {
  const { database, view } = readyWorld(fleet(3));
  const [primary, replica] = copiesOf(database, 'shard-1') as [string, string];

  it('is of a copy that is named by its machine or its id, or not at all', () => {
    const { machine } = database.nodes.find(({ id }) => id === replica)!;
    for (const to of [undefined, machine, replica.slice(0, 4)]) {
      assert.deepEqual(switchoverOf(database, view, 'shard-1', to), { shard: 'shard-1', from: primary, to: replica });
    }
  });

  it('is refused with what is wrong', () => {
    const without = killed(view, replica);
    assert.equal(
      codeOf(() => switchoverOf(database, view, 'shard-9')),
      'shard_not_found',
    );
    assert.equal(
      codeOf(() => switchoverOf(database, view, 'shard-1', 'machine-9')),
      'copy_not_found',
    );
    assert.equal(
      codeOf(() => switchoverOf(database, view, 'shard-1', replica.slice(0, 3))),
      'copy_not_found',
    );
    assert.equal(
      codeOf(() => switchoverOf(database, view, 'shard-1', primary)),
      'switchover_refused',
    );
    assert.equal(
      codeOf(() => switchoverOf(database, without, 'shard-1', replica)),
      'switchover_refused',
    );
    assert.equal(
      codeOf(() => switchoverOf(database, without, 'shard-1')),
      'switchover_refused',
    );
    assert.equal(
      codeOf(() => switchoverOf(database, killed(view, primary), 'shard-1')),
      'switchover_refused',
    );
  });

  it('is one step, one shard after the other, and not undone by levelling before its time is over', () => {
    let wished = wishing(database, 'shard-1', replica);
    const [other] = copiesOf(database, 'shard-2').slice(1) as [string];
    wished = wishing(wished, 'shard-2', other);
    let seen: DatabaseView = view;
    const targets: string[] = [];
    for (let pass = 0; pass < 5; pass += 1) {
      const { steps } = plan(wished, seen);
      assert.ok(steps.length <= 1);
      for (const step of steps) {
        assert.equal(step.kind, 'switch_over');
        targets.push(step.target);
        seen = afterStep(wished, seen, step);
      }
    }
    assert.deepEqual(targets.slice(0, 2), [replica, other]);
    assert.ok(
      targets.slice(2).every((id) => database.nodes.find((node) => node.id === id)?.shard === 'shard-3'),
      'a machine with two of three primaries is relieved of one that nobody asked for',
    );
    for (const [shard, heir] of Object.entries({ 'shard-1': replica, 'shard-2': other })) {
      assert.equal(shardTopology(wished, seen, shard).owner?.assignment.id, heir);
    }
    const ended = endedWishes(wished, { ...seen, at: UNTIL });
    assert.deepEqual(
      ended.map(({ isReached }) => isReached),
      [true, true],
    );
    assert.deepEqual(withoutWishes(wished, ended).wantedPrimaries, {});
  });

  it('is not the one that is undone when its machine then has too many primaries', () => {
    const wished = wishing(database, 'shard-1', replica);
    let seen: DatabaseView = view;
    for (let pass = 0; pass < 5; pass += 1) {
      for (const step of plan(wished, seen).steps) seen = afterStep(wished, seen, step);
      if (pass > 0) assert.equal(shardTopology(wished, seen, 'shard-1').owner?.assignment.id, replica);
      else assert.ok(plan(wished, seen).problems.some(({ code }) => code === 'majority_on_machine'));
    }
  });

  it('waits for a copy that is not in sync, and is given up in time', () => {
    const wished = wishing(database, 'shard-1', replica);
    const without = killed(view, replica);
    const { steps, blocked } = plan(wished, without);
    assert.ok(steps.every(({ kind }) => kind !== 'switch_over'));
    assert.ok(blocked.some(({ because }) => because === 'primary_elsewhere'));
    assert.deepEqual(endedWishes(wished, without), []);
    const [ended] = endedWishes(wished, { ...without, at: UNTIL });
    assert.equal(ended?.isReached, false);
    assert.deepEqual(plan(wished, { ...view, at: UNTIL }).steps, []);
  });

  it('forgets a wish only if nothing else is wanted by then', () => {
    const wished = wishing(database, 'shard-1', replica);
    const ended = endedWishes(wished, { ...view, at: UNTIL });
    const later = { ...wished, wantedPrimaries: { 'shard-1': { node: primary, until: 2 * UNTIL } } };
    assert.deepEqual(withoutWishes(later, ended), later);
  });
});
