/** A machine whose disk is nearly full: told, and given nothing more. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import { DEFAULT_SPEC } from '../domain/spec.ts';
import { isFilling, type MachineView } from '../domain/view.ts';
import { place } from './placement.ts';
import { plan } from './plan.ts';

const GIB = 1024 ** 3;

const withDisk =
  (freeBytes: number, totalBytes: number) =>
  (machine: MachineView, index: number): MachineView =>
    index === 0 ? { ...machine, disk: { freeBytes, totalBytes } } : machine;

it('is told by its share of the whole and by what is left', () => {
  const cases: [freeGib: number, totalGib: number, isSo: boolean][] = [
    [6, 100, false],
    [4, 100, true],
    [0.04, 1, true],
    [0.1, 1, false],
    [30, 2_000, false],
    [15, 2_000, true],
  ];
  for (const [free, total, isSo] of cases) {
    const disk = { freeBytes: free * GIB, totalBytes: total * GIB };
    assert.equal(isFilling({ disk }), isSo, `${free} of ${total} GiB`);
  }
  assert.equal(isFilling({}), false, 'what is not known is not so');
});

it('is a condition, and nothing is undone for it', () => {
  const { database, view } = readyWorld(fleet(3));
  const machines = view.machines.map(withDisk(1 * GIB, 100 * GIB));
  const { problems, steps } = plan(database, { ...view, machines });
  const found = problems.filter(({ code }) => code === 'disk_filling');
  assert.deepEqual(
    found.map(({ machine, params }) => [machine, params.free, params.total]),
    [['machine-1', '1gb', '100gb']],
  );
  assert.deepEqual(steps, []);
});

it('keeps new nodes away', () => {
  const placement = place({ ...DEFAULT_SPEC, shards: 3, replicas: 1 }, fleet(3).map(withDisk(1 * GIB, 100 * GIB)));
  assert.ok(!('refused' in placement));
  assert.ok(placement.places.every(({ machine }) => machine !== 'machine-1'));
  const none = place({ ...DEFAULT_SPEC, replicas: 2 }, fleet(3).map(withDisk(1 * GIB, 100 * GIB)));
  assert.ok('refused' in none, 'three copies need three machines');
});
