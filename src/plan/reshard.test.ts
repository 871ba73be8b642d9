/** Slots on their way: what moves when, what waits, and what leaves at the end. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forecastUntil, moves, NOW, telling, towards } from '../../test/support/reshard-worlds.ts';
import { outOfReach } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import { countSlots } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import { forecast } from './forecast.ts';
import { plan } from './plan.ts';
import { isReshardOver, misplaced, withoutReshard } from './reshard.ts';
import { statusOf } from './status.ts';
import { shardTopology } from './topology.ts';

describe('a database that is to have more shards', () => {
  it('makes the nodes of the new ones first, moves slots once these are in sync, and one job at a time', () => {
    const { database, view } = towards(5);
    const { stages, view: end } = forecast(database, view);
    const kinds = stages.map(({ steps }) => steps.map(({ kind }) => kind));
    assert.ok(kinds.every((stage) => stage.filter((kind) => kind === 'move_slots').length <= 1));
    const firstMove = kinds.findIndex((stage) => stage.includes('move_slots'));
    assert.ok(kinds.findLastIndex((stage) => stage.includes('replicate')) < firstMove);
    assert.ok(kinds.findLastIndex((stage) => stage.includes('create_node')) < firstMove);
    const shards = ['shard-1', 'shard-2', 'shard-3', 'shard-4', 'shard-5'].map((name) =>
      shardTopology(database, end, name),
    );
    for (const { name, slots } of shards) assert.deepEqual(slots, database.reshard!.goal[name]);
    assert.ok(isReshardOver(database, end));
    assert.equal(isReshardOver(database, view), false);
  });

  it('keeps the memory that a shard had until all slots have moved, and logs less meanwhile', () => {
    const { database, view } = towards(5);
    const changed = (record: Database, seen: DatabaseView) =>
      plan(record, seen).steps.flatMap((step) => (step.kind === 'configure' ? [Object.keys(step.args.settings)] : []));
    const before = changed(database, view);
    assert.ok(before.length > 0 && before.every((names) => names.join() === 'loglevel'), before.join(' '));
    const after = changed({ ...database, reshard: null }, forecast(database, view).view);
    assert.ok(after.length > 0 && after.every((names) => names.includes('maxmemory') && names.includes('loglevel')));
  });
});

describe('a database that is to have fewer shards', () => {
  it('takes those out that own nothing, all at once and last', () => {
    const { database, view } = towards(1);
    const { stages } = forecast(database, view);
    const retiring = stages.findIndex(({ steps }) => steps.some(({ kind }) => kind === 'retire_shard'));
    const lastMove = stages.findLastIndex(({ steps }) => moves(steps).length > 0);
    assert.ok(retiring > lastMove && lastMove >= 0);
    const gone = stages[retiring]!.steps.filter(({ kind }) => kind === 'retire_shard').map(({ target }) => target);
    assert.deepEqual(gone, ['shard-2', 'shard-3']);
  });

  it('lets a shard without slots stay for two seconds after the last job, so that its clients are answered', () => {
    const empty = forecastUntil(towards(2), 'retire_shard');
    const keptFor = (agoMs: number) => {
      const world = telling({ ...empty, view: { ...empty.view, at: NOW } }, 'shard-1', [
        { state: 'success', phase: 'success', updatedAt: NOW - agoMs },
      ]);
      return plan(world.database, world.view).steps.every(({ kind }) => kind !== 'retire_shard');
    };
    assert.deepEqual([keptFor(1_900), keptFor(2_100)], [true, false]);
  });

  it('takes no shard out while it is not certain that it owns nothing', () => {
    const { database, view } = towards(2);
    const { stages } = forecast(database, view);
    const before = stages.find(({ steps }) => steps.some(({ kind }) => kind === 'retire_shard'))!;
    assert.ok(before.plan.problems.some(({ code }) => code === 'shard_leaving'));
    // The same world, but one of the primaries that own all slots is not heard of.
    const moved = forecastUntil(towards(2), 'retire_shard');
    const owner = shardTopology(moved.database, moved.view, 'shard-1').owner!.assignment.id;
    const unseen = { ...moved, view: outOfReach(moved.view, owner) };
    assert.deepEqual(
      plan(unseen.database, unseen.view).steps.filter(({ kind }) => kind === 'retire_shard'),
      [],
    );
  });
});

describe('the end of a reshard', () => {
  it('waits for a job that still runs when it is given up: that takes slots away from where they are to be', () => {
    const { database, view } = towards(1);
    const { before } = database.reshard!;
    const spec = { ...database.spec, shards: before.shards };
    const cancelled = { ...database, spec, reshard: { ...database.reshard!, goal: before.goal, cancels: true } };
    assert.ok(isReshardOver(cancelled, view));
    const moving = telling({ database: cancelled, view }, 'shard-3', [{ state: 'active', phase: 'replicating' }]);
    assert.equal(isReshardOver(cancelled, moving.view), false);
    const ended = telling({ database: cancelled, view }, 'shard-3', [{ state: 'failed' }]);
    assert.ok(isReshardOver(cancelled, ended.view));
  });

  it('is not believed while an owner does not say itself what it owns', () => {
    const { database, view } = towards(5);
    const { view: end } = forecast(database, view);
    const owner = shardTopology(database, end, 'shard-1').owner!.assignment.id;
    assert.equal(isReshardOver(database, outOfReach(end, owner)), false);
  });

  it('leaves a record alone that was given up after the look', () => {
    const { database } = towards(5);
    assert.equal(withoutReshard(database, database).reshard, null);
    const paused = { ...database, reshard: { ...database.reshard!, paused: true } };
    assert.equal(withoutReshard(paused, database).reshard, null);
    const cancelled = { ...database, generation: database.generation + 1 };
    assert.equal(withoutReshard(cancelled, database), cancelled);
  });
});

describe('what is told of the way', () => {
  it('counts what is left, and is not ready before all is there', () => {
    const { database, view } = towards(5);
    const { problems } = plan(database, view);
    const status = statusOf(database, view, problems, new Map(), new Map());
    const shards = ['shard-1', 'shard-2', 'shard-3'].map((name) => shardTopology(database, view, name));
    const left = misplaced(database.reshard!, shards).reduce((sum, { slots }) => sum + countSlots(slots), 0);
    assert.deepEqual([status.reshard?.left, status.reshard?.state, status.state], [left, 'moving', 'updating']);
    assert.ok(left > 6_000 && left < 13_000);
  });

  it('shows the job as its source tells it, and what writers are paced to', () => {
    const job = { state: 'active', slots: [[0, 9]], phase: 'waiting-to-pause', remainingBytes: 7 } as const;
    const bySource = telling(towards(2), 'shard-3', [job]);
    const byBoth = telling(bySource, 'shard-1', [{ ...job, side: 'import', phase: 'any', remainingBytes: 0 }]);
    const shown = (paced?: number) =>
      statusOf(byBoth.database, byBoth.view, [], new Map(), new Map(), paced).reshard!.job!;
    const { from, phase, remainingBytes, paced } = shown(1_000);
    assert.deepEqual([from, phase, remainingBytes, paced], ['shard-3', 'waiting-to-pause', 7, 1_000]);
    assert.equal(shown().paced, null);
  });
});
