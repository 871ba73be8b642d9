import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  canAvoidMajority,
  hasMajority,
  sharingOf,
  type TrialMachine,
  type TrialShard,
  tryAll,
} from '../../test/support/placement-trial.ts';
import { fleet } from '../../test/support/worlds.ts';
import { countSlots, SLOT_COUNT } from '../domain/slots.ts';
import { type DatabaseSpec, DEFAULT_SPEC } from '../domain/spec.ts';
import type { MachineView } from '../domain/view.ts';
import { type Place, place, reservedBytesPerNode } from './placement.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

const placed = (spec: Partial<DatabaseSpec>, machines: readonly MachineView[]): Place[] => {
  const placement = place({ ...DEFAULT_SPEC, ...spec }, machines);
  assert.ok('places' in placement, JSON.stringify(placement));
  return placement.places;
};

const machineOf = (places: readonly Place[], role: string): string[] =>
  places.filter(({ birth }) => birth.role === role).map(({ machine }) => machine);

/** How many of them each of the machines has. */
const counts = (names: readonly string[], machines: readonly MachineView[]): number[] =>
  machines.map(({ name }) => names.filter((other) => other === name).length);

const spread = (numbers: readonly number[]): number => Math.max(...numbers) - Math.min(...numbers);

/** By shard, the primary's machine first. */
function shardsOf(places: readonly Place[]): TrialShard[] {
  const shards = new Map<string, string[]>();
  for (const { shard, machine } of places) shards.set(shard, [...(shards.get(shard) ?? []), machine]);
  return [...shards.values()];
}

const zoneIn =
  (machines: readonly MachineView[]) =>
  (name: string): string | undefined =>
    machines.find((machine) => machine.name === name)?.zone;

/** A machine of a generated fleet: its memory in nodes, how much of it others have, and whether it takes new nodes. */
const shape = (most: number, zones: readonly string[]) =>
  fc.record({
    zone: fc.constantFrom(...zones),
    nodes: fc.integer({ min: 0, max: most }),
    crumbs: fc.double({ min: 0, max: 0.9, noNaN: true }),
    others: fc.constantFrom(0, 0, 0, 1, 2),
    connected: fc.constantFrom(true, true, true, true, true, false),
    state: fc.constantFrom('active', 'active', 'active', 'active', 'active', 'draining', 'removed'),
  });

interface World {
  spec: DatabaseSpec;
  machines: MachineView[];
}

/** Fleets with a wish; machines hold from nothing to somewhat more than each could get. */
const worlds = (size: { machines: number; shards: number; replicas: number; zones: readonly string[] }) =>
  fc
    .record({ shards: fc.integer({ min: 1, max: size.shards }), replicas: fc.integer({ min: 0, max: size.replicas }) })
    .chain((wish) =>
      fc.record({
        wish: fc.constant(wish),
        shapes: fc.array(shape(wish.shards + 2, size.zones), { minLength: 1, maxLength: size.machines }),
      }),
    )
    .map(({ wish, shapes }): World => {
      const spec = { ...DEFAULT_SPEC, ...wish, memoryBytes: wish.shards * 100 * MIB };
      const nodeBytes = reservedBytesPerNode(spec);
      const machines = fleet(shapes.length).map((machine, index): MachineView => {
        const { zone, nodes, crumbs, others, connected, state } = shapes[index]!;
        const reservedBytes = Math.floor(others * 0.7 * nodeBytes);
        const memoryBytes = reservedBytes + Math.floor((nodes + crumbs) * nodeBytes);
        return { ...machine, zone, memoryBytes, reservedBytes, connected, state: state as MachineView['state'] };
      });
      return { spec, machines };
    });

const SMALL = { machines: 5, shards: 4, replicas: 2, zones: ['a', 'b', 'c'] };
const LARGE = { machines: 40, shards: 40, replicas: 5, zones: ['a', 'b', 'c', 'd', 'e', 'f'] };

/** The machines that may take nodes, with how many, counted here once more. */
const takers = ({ spec, machines }: World): TrialMachine[] =>
  machines
    .filter(({ connected, state }) => connected && state === 'active')
    .map(({ name, zone, memoryBytes, reservedBytes }) => ({
      name,
      zone,
      fits: Math.floor((memoryBytes - reservedBytes) / reservedBytesPerNode(spec)),
    }));

/** A single machine may hold two copies of a shard: as many wishes as it could hold, each with a twin of the machine. */
const isWholeFleet = ({ machines }: World): boolean => machines.filter(({ state }) => state !== 'removed').length === 1;

describe('place', () => {
  it('spreads 3 shards with a replica each evenly over 3 machines', () => {
    const places = placed({}, fleet(3));
    assert.deepEqual(machineOf(places, 'primary'), ['machine-1', 'machine-2', 'machine-3']);
    assert.deepEqual(machineOf(places, 'replica'), ['machine-2', 'machine-3', 'machine-1']);
  });

  it('gives copies zones of their own, also where one zone has most of the machines', () => {
    const machines = fleet(5).map((machine, index) => ({ ...machine, zone: index < 4 ? 'left' : 'right' }));
    const shards = shardsOf(placed({ shards: 4 }, machines));
    assert.equal(sharingOf(shards, zoneIn(machines)), 0);
    assert.equal(shards.filter((copies) => copies.includes('machine-5')).length, 4);
  });

  it('leaves out machines that are away, drain or were removed', () => {
    const [one, two, three, four, five] = fleet(5) as [MachineView, MachineView, MachineView, MachineView, MachineView];
    const machines: MachineView[] = [
      one,
      { ...two, connected: false },
      three,
      { ...four, state: 'draining' },
      { ...five, state: 'removed' },
    ];
    const used = new Set(placed({ shards: 8 }, machines).map(({ machine }) => machine));
    assert.deepEqual([...used].sort(), ['machine-1', 'machine-3']);
  });

  it('finds the placement where filling up the emptiest machines first would end without one', () => {
    // 4 shards, 2 copies each: machine-1 must take one of every shard, since the others have room for one each.
    const spec = { ...DEFAULT_SPEC, shards: 4, memoryBytes: 400 * MIB };
    const nodeBytes = reservedBytesPerNode(spec);
    const machines = fleet(5).map((machine, index) => ({ ...machine, memoryBytes: nodeBytes * (index === 0 ? 4 : 1) }));
    const places = placed(spec, machines);
    assert.deepEqual(
      counts(
        places.map(({ machine }) => machine),
        machines,
      ),
      [4, 1, 1, 1, 1],
    );
  });

  it('prefers the machine with the larger share of its memory free', () => {
    const machines = fleet(3).map((machine, index) => ({ ...machine, reservedBytes: [3, 1, 2][index]! * GIB }));
    assert.deepEqual(machineOf(placed({ shards: 1, replicas: 0 }, machines), 'primary'), ['machine-2']);
    const uneven = fleet(2).map((machine, index) => ({ ...machine, memoryBytes: [2, 16][index]! * GIB }));
    assert.deepEqual(machineOf(placed({ shards: 1, replicas: 0 }, uneven), 'primary'), ['machine-2']);
  });

  it('does not always give to the first machine what is left over', () => {
    const names = (shards: number): string[] => placed({ shards }, fleet(3)).map(({ machine }) => machine);
    assert.deepEqual(counts(names(2), fleet(3)), [1, 1, 2]);
    assert.deepEqual(counts(names(4), fleet(3)), [3, 3, 2]);
  });

  it('spreads the replicas of the primaries of one machine over the others', () => {
    const places = placed({ shards: 20, memoryBytes: GIB }, fleet(5));
    const shards = shardsOf(places).filter(([primary]) => primary === 'machine-1');
    assert.equal(new Set(shards.map(([, replica]) => replica)).size, 4);
  });

  it('refuses with figures and with what to add', () => {
    const spec = { ...DEFAULT_SPEC, memoryBytes: 100 * GIB };
    const refusal = place(spec, fleet(3));
    assert.ok('refused' in refusal);
    const nodeBytes = reservedBytesPerNode(spec);
    assert.equal(refusal.refused, 'not_enough_memory');
    assert.deepEqual(refusal.figures, {
      machines: 3,
      machinesNeeded: 2,
      maxReplicas: 2,
      nodeBytes,
      nodes: 6,
      missing: 6,
      add: { machines: 2, bytes: 3 * nodeBytes, zone: 'any', notIn: [] },
    });
    const crowded = place({ ...DEFAULT_SPEC, replicas: 3 }, fleet(3));
    assert.ok('refused' in crowded);
    assert.deepEqual([crowded.refused, crowded.figures.machinesNeeded], ['not_enough_machines', 4]);
    const nowhere = place(DEFAULT_SPEC, []);
    assert.ok('refused' in nowhere);
    assert.equal(nowhere.refused, 'not_enough_machines');
  });

  it('lets a single machine hold a primary and its replica: better than no copy', () => {
    assert.equal(placed({}, fleet(1)).length, 6);
    assert.ok('refused' in place({ ...DEFAULT_SPEC, replicas: 2 }, fleet(1)));
    const another = { ...fleet(2)[1]!, connected: false };
    const waits = place(DEFAULT_SPEC, [fleet(1)[0]!, another]);
    assert.ok('refused' in waits, 'the other machine may come back');
    assert.equal(placed({}, [fleet(1)[0]!, { ...another, state: 'removed' }]).length, 6);
  });

  it('keeps every hard rule that can be kept, as trying everything shows', () => {
    let refused = 0;
    let majorities = 0;
    let shared = 0;
    fc.assert(
      fc.property(worlds(SMALL), (world) => {
        const { spec, machines } = world;
        if (isWholeFleet(world)) return;
        const best = tryAll(takers(world), spec.shards, spec.replicas + 1);
        const placement = place(spec, machines);
        assert.equal('places' in placement, best !== null, 'refused, or not, without need');
        if (!best || !('places' in placement)) {
          refused += 1;
          return;
        }
        const shards = shardsOf(placement.places);
        assert.equal(sharingOf(shards, zoneIn(machines)), best.sharing, 'copies share a zone without need');
        const majority = hasMajority(shards.map(([primary]) => primary!));
        assert.equal(majority, !best.withoutMajority, 'a majority without need');
        majorities += Number(majority);
        shared += Number(best.sharing > 0);
      }),
      { numRuns: 12_000 },
    );
    const told = `${refused} refused, ${majorities} with a majority, ${shared} sharing zones`;
    assert.ok(refused > 1_000 && majorities > 100 && shared > 100, `too few cases of a kind: ${told}`);
  });

  it('keeps copies apart and memory within its bounds, whatever the fleet', () => {
    fc.assert(
      fc.property(worlds(LARGE), (world) => {
        const { spec, machines } = world;
        const placement = place(spec, machines);
        if ('refused' in placement) return;
        const { places } = placement;
        assert.equal(places.length, spec.shards * (spec.replicas + 1));
        const slots = places.flatMap(({ birth }) => (birth.role === 'primary' ? birth.slots : []));
        assert.equal(countSlots(slots), SLOT_COUNT);
        for (const { name, memoryBytes, reservedBytes, connected, state } of machines) {
          const here = places.filter(({ machine }) => machine === name).length;
          if (here === 0) continue;
          assert.ok(reservedBytes + here * reservedBytesPerNode(spec) <= memoryBytes, `${name} is over-committed`);
          assert.ok(connected && state === 'active', `${name} may take none`);
        }
        if (isWholeFleet(world)) return;
        for (const copies of shardsOf(places)) assert.equal(new Set(copies).size, copies.length, 'copies together');
      }),
      { numRuns: 1_500 },
    );
  });

  it('leaves no copy in a zone with another while a machine of another zone could take it, nor an avoidable majority', () => {
    fc.assert(
      fc.property(worlds(LARGE), (world) => {
        const { spec, machines } = world;
        const placement = place(spec, machines);
        if ('refused' in placement || isWholeFleet(world)) return;
        const shards = shardsOf(placement.places);
        const zone = zoneIn(machines);
        const room = takers(world).filter(
          ({ name, fits }) => placement.places.filter(({ machine }) => machine === name).length < fits,
        );
        for (const copies of shards) {
          const zones = new Set(copies.map(zone));
          if (zones.size === copies.length) continue;
          const better = room.find(({ name, zone: other }) => !zones.has(other) && !copies.includes(name));
          assert.equal(better, undefined, 'a machine of another zone could take it');
        }
        const primaries = shards.map(([primary]) => primary!);
        if (spec.replicas >= 2) assert.ok(!hasMajority(primaries));
        else if (hasMajority(primaries) && spec.shards <= 12) assert.ok(!canAvoidMajority(shards));
      }),
      { numRuns: 1_500 },
    );
  });

  it('is even in nodes and primaries where nothing speaks against it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 20 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 5 }),
        (machines, shards, replicas) => {
          const all = fleet(machines);
          const places = placed({ shards, replicas: Math.min(replicas, machines - 1), memoryBytes: GIB }, all);
          assert.ok(
            spread(
              counts(
                places.map(({ machine }) => machine),
                all,
              ),
            ) <= 1,
            'nodes',
          );
          assert.ok(spread(counts(machineOf(places, 'primary'), all)) <= 1, 'primaries');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is even in memory over many small databases', () => {
    let machines = fleet(7).map((machine, index) => ({ ...machine, memoryBytes: (8 + index) * GIB }));
    const spec = { ...DEFAULT_SPEC, shards: 1, memoryBytes: 64 * MIB };
    for (let database = 0; database < 200; database += 1) {
      const places = placed(spec, machines);
      machines = machines.map((machine) => ({
        ...machine,
        reservedBytes:
          machine.reservedBytes +
          places.filter((one) => one.machine === machine.name).length * reservedBytesPerNode(spec),
      }));
    }
    const fills = machines.map(({ reservedBytes, memoryBytes }) => reservedBytes / memoryBytes);
    assert.ok(Math.max(...fills) - Math.min(...fills) < 0.02, fills.join(' '));
  });

  it('gives the same for the same fleet, in whatever order its machines come', () => {
    fc.assert(
      fc.property(worlds(LARGE), fc.nat(40), ({ spec, machines }, cut) => {
        const placement = place(spec, machines);
        assert.deepEqual(place(spec, structuredClone(machines)), placement);
        assert.deepEqual(place(spec, machines.toReversed()), placement);
        assert.deepEqual(place(spec, [...machines.slice(cut), ...machines.slice(0, cut)]), placement);
      }),
      { numRuns: 500 },
    );
  });

  it('places the largest database on a thousand machines', () => {
    const machines = fleet(1_000).map((machine, index) => ({ ...machine, zone: `zone-${index % 7}` }));
    const places = placed({ shards: 500, replicas: 5, memoryBytes: 500 * GIB }, machines);
    assert.equal(places.length, 3_000);
    assert.equal(new Set(places.map(({ shard, machine }) => `${shard} ${machine}`)).size, 3_000);
  });
});
