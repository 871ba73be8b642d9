import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, outOfReach, readyWorld } from '../../test/support/worlds.ts';
import { plan } from './plan.ts';
import { requireRemovable, withoutMachine } from './removal.ts';

const NOT_OFF = { isOff: false, loseData: false };
const OFF = { isOff: true, loseData: false };

it('a machine with nodes is taken out only when somebody says that it is off for good', () => {
  const { database } = readyWorld(fleet(2), { shards: 1, replicas: 1 });
  const lost = { name: 'machine-1', connected: false, nodes: 1 };
  const remove = (machine: typeof lost, wish: typeof OFF, gone: string[] = []): void =>
    requireRemovable(machine, wish, [database], new Set(gone));
  assert.throws(() => remove({ ...lost, connected: true }, NOT_OFF), { code: 'machine_in_use' });
  assert.throws(() => remove({ ...lost, connected: true }, OFF), { code: 'machine_not_off' });
  assert.throws(() => remove(lost, NOT_OFF), {
    code: 'removal_unconfirmed',
    hint: /`valkeeper machine remove machine-1 --is-off`/,
  });
  remove(lost, OFF);
  remove({ ...lost, nodes: 0 }, NOT_OFF);
  const last = {
    code: 'removal_unconfirmed',
    message: /shard-1 of test: its data is lost/,
    hint: /--is-off --lose-data`/,
  };
  assert.throws(() => remove(lost, OFF, ['machine-2']), last);
  remove(lost, { ...OFF, loseData: true }, ['machine-2']);
});

it('what a machine that is gone for good had, is taken over, and never started there', () => {
  const { database, view } = readyWorld(fleet(2), { shards: 1, replicas: 1 });
  const [primary, replica] = database.nodes;
  const record = withoutMachine(database, primary!.machine, 5);
  assert.deepEqual(Object.keys(record.overridden), [primary!.id]);
  const machines = view.machines.map((one) => ({
    ...one,
    ...(one.name === primary!.machine ? { state: 'removed' as const, connected: false } : {}),
  }));
  const lost = outOfReach(view, primary!.id);
  const off = { ...lost.nodes.get(primary!.id)!, process: { state: 'off' as const } };
  const seen = { ...lost, at: 10, machines, nodes: new Map(lost.nodes).set(primary!.id, off) };
  assert.deepEqual(
    plan(record, seen).steps.map(({ kind, target }) => [kind, target]),
    [['promote', replica!.id]],
  );
  const deleted = plan({ ...record, deleting: true }, seen);
  assert.deepEqual(
    deleted.steps.map(({ kind, target }) => [kind, target]),
    [['remove_node', replica!.id]],
  );
});
