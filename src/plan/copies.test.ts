/** What the planner says and does about how copies and primaries lie. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import { type Database, shardNames } from '../domain/database.ts';
import type { DatabaseView, MachineView } from '../domain/view.ts';
import { afterStep } from './effects.ts';
import { forecast } from './forecast.ts';
import { plan } from './plan.ts';
import { adviceFor } from './problems.ts';
import { shardTopology } from './topology.ts';

describe('copies and primaries that lie otherwise than they should', () => {
  it('are levelled by one switchover after the other where one alone is not enough', () => {
    const { database, view } = readyWorld(fleet(3), { shards: 6, replicas: 2 });
    const owners = (world: DatabaseView): string[] =>
      shardNames(database).map((name) => shardTopology(database, world, name).owner!.assignment.machine);
    const crowd = owners(view)[0]!;
    let crowded: DatabaseView = view;
    for (const name of shardNames(database)) {
      const { owner, members } = shardTopology(database, crowded, name);
      const heir = members.find(({ assignment }) => assignment.machine === crowd)!.assignment.id;
      const insteadOf = owner!.assignment.id;
      if (heir === insteadOf) continue;
      crowded = afterStep(database, crowded, {
        kind: 'switch_over',
        target: heir,
        args: { insteadOf },
        expects: {},
        because: 'majority_on_machine',
      });
    }
    assert.deepEqual(new Set(owners(crowded)), new Set([crowd]));
    const { stages, view: end } = forecast(database, crowded);
    const switches = stages.map(({ steps }) => steps.filter(({ kind }) => kind === 'switch_over').length);
    assert.deepEqual(
      switches.filter((count) => count > 0),
      [1, 1, 1],
    );
    assert.equal(owners(end).filter((machine) => machine === crowd).length, 3);
  });

  it('are told, with what would help', () => {
    const told = (world: DatabaseView, database: Database): string[] =>
      plan(database, world).problems.map((problem) => `${problem.code}: ${adviceFor(problem)}`);
    const { database, view } = readyWorld(fleet(2), { shards: 1 });
    assert.deepEqual(told(view, database), []);
    const [one, two] = view.machines as [MachineView, MachineView];
    const third: MachineView = { ...one, name: 'machine-3', zone: 'other' };
    assert.deepEqual(told({ ...view, machines: [one, two, third] }, database), [
      'zones_shared: machine-3 has room for a copy of shard-1, in place of the one on machine-2.',
    ]);
    const full = { ...third, memoryBytes: 0 };
    assert.deepEqual(told({ ...view, machines: [one, two, full] }, database), []);
    const shrunk = { ...two, memoryBytes: 2 ** 20, reservedBytes: 336 * 2 ** 20 };
    assert.deepEqual(told({ ...view, machines: [one, shrunk] }, database), [
      'memory_overcommitted: Add one machine with at least 336mb for nodes.',
    ]);
    const alone = readyWorld(fleet(1), { shards: 3 });
    assert.deepEqual(
      new Set(told(alone.view, alone.database)),
      new Set([
        'majority_on_machine: Add 2 machines with at least 245.4mb each for nodes.',
        'copies_together: Add one machine with at least 368.1mb for nodes.',
      ]),
    );
  });
});
