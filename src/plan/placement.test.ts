import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fleet } from '../../test/support/worlds.ts';
import { countSlots, SLOT_COUNT } from '../domain/slots.ts';
import { type DatabaseSpec, DEFAULT_SPEC } from '../domain/spec.ts';
import type { MachineView } from '../domain/view.ts';
import { maxReplicas, type Place, place, reservedBytesPerNode } from './placement.ts';

const GIB = 1024 ** 3;

const placed = (spec: Partial<DatabaseSpec>, machines: readonly MachineView[]): Place[] => {
  const placement = place({ ...DEFAULT_SPEC, ...spec }, machines);
  assert.ok('places' in placement, JSON.stringify(placement));
  return placement.places;
};

const machineOf = (places: readonly Place[], role: string): string[] =>
  places.filter(({ birth }) => birth.role === role).map(({ machine }) => machine);

const count = (names: readonly string[]): number[] =>
  [...new Set(names)].map((name) => names.filter((other) => other === name).length);

const fleets = fc.array(fc.record({ zone: fc.constantFrom('a', 'b', 'c'), memory: fc.integer({ min: 1, max: 64 }) }), {
  minLength: 1,
  maxLength: 12,
});

const machinesOf = (shapes: readonly { zone: string; memory: number }[]): MachineView[] =>
  fleet(shapes.length).map((machine, index) => ({
    ...machine,
    zone: shapes[index]!.zone,
    memoryBytes: shapes[index]!.memory * GIB,
  }));

describe('place', () => {
  it('spreads 3 shards with a replica each evenly over 3 machines', () => {
    const places = placed({}, fleet(3));
    assert.deepEqual(machineOf(places, 'primary'), ['machine-1', 'machine-2', 'machine-3']);
    assert.deepEqual(machineOf(places, 'replica'), ['machine-2', 'machine-3', 'machine-1']);
  });

  it('prefers another zone for a copy', () => {
    const machines = fleet(4).map((machine, index) => ({ ...machine, zone: index < 2 ? 'left' : 'right' }));
    const zoneOf = (name: string): string => machines.find((machine) => machine.name === name)!.zone;
    const places = placed({ shards: 4 }, machines);
    for (const { shard } of places) {
      const zones = places.filter((other) => other.shard === shard).map(({ machine }) => zoneOf(machine));
      assert.deepEqual(zones.sort(), ['left', 'right']);
    }
  });

  it('leaves out machines whose agent is away', () => {
    const machines = fleet(3).map((machine, index) => ({ ...machine, connected: index !== 1 }));
    assert.ok(placed({}, machines).every(({ machine }) => machine !== 'machine-2'));
  });

  it('refuses with figures what has no room, and more replicas than machines can keep apart', () => {
    const refusal = place({ ...DEFAULT_SPEC, memoryBytes: 100 * GIB }, fleet(3));
    assert.ok('refused' in refusal);
    assert.equal(refusal.refused, 'not_enough_memory');
    assert.ok(refusal.figures.nodeBytes > 33 * GIB);
    const crowded = place({ ...DEFAULT_SPEC, replicas: 3 }, fleet(3));
    assert.ok('refused' in crowded);
    assert.deepEqual([crowded.refused, crowded.figures.machinesNeeded], ['not_enough_machines', 4]);
    assert.ok('refused' in place(DEFAULT_SPEC, []));
  });

  it('lets a single machine hold a primary and its replica: better than no copy', () => {
    assert.equal(placed({}, fleet(1)).length, 6);
  });

  it('keeps its rules over generated fleets', () => {
    fc.assert(
      fc.property(
        fleets,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 80 }),
        (shapes, shards, replicas, gib) => {
          const machines = machinesOf(shapes);
          const spec = { ...DEFAULT_SPEC, shards, replicas, memoryBytes: gib * GIB };
          const placement = place(spec, machines);
          assert.deepEqual(place(spec, structuredClone(machines)), placement, 'the same again');
          if ('refused' in placement) {
            if (placement.refused === 'not_enough_machines') assert.ok(replicas > maxReplicas(machines.length));
            return;
          }
          const { places } = placement;
          assert.equal(places.length, shards * (replicas + 1));
          const slots = places.flatMap(({ birth }) => (birth.role === 'primary' ? birth.slots : []));
          assert.equal(countSlots(slots), SLOT_COUNT);
          for (const { name, memoryBytes } of machines) {
            const here = places.filter(({ machine }) => machine === name).length;
            assert.ok(here * reservedBytesPerNode(spec) <= memoryBytes, `${name} is over-committed`);
          }
          for (const shard of new Set(places.map((one) => one.shard))) {
            const copies = places.filter((one) => one.shard === shard).map(({ machine }) => machine);
            if (machines.length > 1) assert.equal(new Set(copies).size, copies.length, `${shard} has copies together`);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('gives no machine a majority of the primaries where all have room', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 10 }), fc.integer({ min: 2, max: 20 }), (machines, shards) => {
        const counts = count(machineOf(placed({ shards, memoryBytes: GIB }, fleet(machines)), 'primary'));
        assert.ok(Math.max(...counts) <= shards / 2, JSON.stringify(counts));
      }),
    );
  });
});
