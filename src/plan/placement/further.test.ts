import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { grantAll } from '../../../test/support/placement-trial.ts';
import { fleet } from '../../../test/support/worlds.ts';
import { DEFAULT_SPEC } from '../../domain/spec.ts';
import type { MachineView } from '../../domain/view.ts';
import { place, shapeOf } from '../placement.ts';
import { type Further, furtherPlaces } from './further.ts';
import type { Layout, PlacedCopy } from './layout.ts';

/** Bytes of a node; the machines here have room for so many of them. */
const NODE = 1_000;

/** A machine `name:zone` with room for so many more nodes than it has. */
const machine = (name: string, fits: number, has = 0, change: Partial<MachineView> = {}): MachineView => ({
  ...fleet(1)[0]!,
  name,
  zone: name[0]!,
  memoryBytes: (fits + has) * NODE,
  reservedBytes: has * NODE,
  ...change,
});

/** `shard: machine machine` with the primary first; a machine in brackets has a copy that does not count. */
function layout(copies: number, shards: Record<string, string>): Layout {
  const all = Object.entries(shards).flatMap(([shard, machines]) =>
    machines.split(' ').map((word, index): PlacedCopy => {
      const name = word.replace(/[()]/g, '');
      return { shard, machine: name, primary: index === 0, counts: name === word };
    }),
  );
  return { shape: { shards: Object.keys(shards).length, copies }, copies: all };
}

const machinesOf = (places: readonly Further[]): (string | null)[] => places.map((one) => one.machine);

describe('a further copy', () => {
  it('goes to another zone first, then to the machine with fewer nodes of the database, then to the emptier one', () => {
    const present = layout(2, { s1: 'a1 (b1)', s2: 'c1 a2' });
    const ask = (...machines: MachineView[]) => furtherPlaces(['s1'], present, NODE, machines).places[0];
    const [a1, b1] = [machine('a1', 5, 1), machine('b1', 5, 1, { state: 'draining' })];
    const [a2, c1, c2] = [machine('a2', 9, 1), machine('c1', 9, 1), machine('c2', 1)];
    assert.deepEqual(ask(a1, b1, a2), { shard: 's1', machine: 'a2', sharesZone: true });
    assert.deepEqual(ask(a1, b1, a2, c1), { shard: 's1', machine: 'c1', sharesZone: false });
    assert.deepEqual(ask(a1, b1, a2, c1, c2), { shard: 's1', machine: 'c2', sharesZone: false });
    const c3 = machine('c3', 2);
    assert.deepEqual(ask(a1, b1, a2, c1, c2, c3), { shard: 's1', machine: 'c3', sharesZone: false });
  });

  it('may go to the zone of a copy that does not count, never to its machine', () => {
    const present = layout(2, { s1: 'a1 (b1)' });
    const machines = [machine('a1', 5, 1), machine('b1', 5, 1), machine('b2', 5), machine('a2', 5)];
    assert.deepEqual(furtherPlaces(['s1'], present, NODE, machines).places, [
      { shard: 's1', machine: 'b2', sharesZone: false },
    ]);
  });

  it('is refused with what each machine says, and with what to add', () => {
    const present = layout(2, { s1: 'a1 (a2)' });
    const machines = [
      machine('a1', 5, 1),
      machine('a2', 5, 1, { connected: false }),
      machine('a3', 0, 4),
      machine('b1', 5, 0, { state: 'draining' }),
      machine('b2', 5, 0, { state: 'removed' }),
    ];
    assert.deepEqual(furtherPlaces(['s1'], present, NODE, machines), {
      places: [{ shard: 's1', machine: null, refusals: { has_copy: 1, away: 1, no_room: 1, draining: 1, removed: 1 } }],
      add: { machines: 1, bytes: NODE, zone: 'another', notIn: ['a'] },
    });
  });

  it('may be put beside its primary on a machine that is the whole fleet', () => {
    const present = layout(2, { s1: 'a1' });
    assert.deepEqual(machinesOf(furtherPlaces(['s1'], present, NODE, [machine('a1', 1, 1)]).places), ['a1']);
    const both = layout(2, { s1: 'a1 a1' });
    assert.deepEqual(machinesOf(furtherPlaces(['s1'], both, NODE, [machine('a1', 1, 2)]).places), [null]);
    const away = machine('a2', 5, 0, { connected: false });
    assert.deepEqual(machinesOf(furtherPlaces(['s1'], present, NODE, [machine('a1', 1, 1), away]).places), [null]);
  });
});

describe('further copies together', () => {
  it('leave no shard without a place that another could have left to it', () => {
    // s1 could go to a or b, s2 only to a: a is preferred for s1, too.
    const present = layout(2, { s1: 'x1 (x3)', s2: 'b1 (x3)' });
    const machines = [
      machine('a1', 1),
      machine('b1', 1, 1),
      machine('x1', 0, 1),
      machine('x3', 5, 2, { connected: false }),
    ];
    assert.deepEqual(machinesOf(furtherPlaces(['s1', 's2'], present, NODE, machines).places), ['b1', 'a1']);
  });

  it('share no zone that they need not', () => {
    const present = layout(2, { s1: 'c1 (x1)', s2: 'b1 (x1)' });
    const machines = [
      machine('a1', 1),
      machine('b1', 1, 1),
      machine('c1', 0, 1),
      machine('b2', 1),
      machine('x1', 0, 2, { state: 'draining' }),
    ];
    const { places } = furtherPlaces(['s1', 's2'], present, NODE, machines);
    assert.ok(places.every(({ machine: name }) => name !== null));
    assert.equal(places.filter((one) => one.machine !== null && one.sharesZone).length, 0);
  });

  it('share a zone in the one place where it must be, not in the one where it is nearest', () => {
    // s1 shares a zone wherever it goes. It leaves a2, the emptiest, to s2, which would share one anywhere else.
    const present = layout(3, { s1: 'a1 d1 (b2)', s2: 'b1 (d2)', s3: 'd2' });
    const machines = [
      machine('a1', 0, 1),
      machine('a2', 1),
      machine('b1', 0, 1),
      machine('b2', 1, 1),
      machine('d1', 0, 1),
      machine('d2', 1, 2),
    ];
    assert.deepEqual(furtherPlaces(['s1', 's2'], present, NODE, machines).places, [
      { shard: 's1', machine: 'd2', sharesZone: true },
      { shard: 's2', machine: 'a2', sharesZone: false },
    ]);
  });

  it('are as many as trying everything finds, and share as few zones', () => {
    let searched = 0;
    let lacking = 0;
    const worlds = fc.record({
      machines: fc.array(fc.record({ zone: fc.constantFrom('a', 'b', 'c'), fits: fc.constantFrom(0, 0, 1, 1, 1, 2) }), {
        minLength: 2,
        maxLength: 6,
      }),
      shards: fc.array(fc.array(fc.record({ at: fc.nat(5), counts: fc.boolean() }), { maxLength: 3 }), {
        minLength: 1,
        maxLength: 4,
      }),
      wishes: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
    });
    fc.assert(
      fc.property(worlds, ({ machines, shards, wishes }) => {
        const names = machines.map(({ zone }, index) => `${zone}${index + 1}`);
        const copies = shards.flatMap((placed, index) =>
          placed
            .filter(({ at }, first) => at < names.length && placed.findIndex((other) => other.at === at) === first)
            .map(({ at, counts }) => ({ shard: `s${index}`, machine: names[at]!, primary: false, counts })),
        );
        const onMachine = (name: string): number => copies.filter((copy) => copy.machine === name).length;
        const view = machines.map(({ fits }, index) => machine(names[index]!, fits, onMachine(names[index]!)));
        const asked = wishes.map((wish) => `s${wish % shards.length}`);
        const present = { shape: { shards: shards.length, copies: 3 }, copies };
        const { places, add } = furtherPlaces(asked, present, NODE, view);

        const best = grantAll(
          asked.map((shard) => {
            const own = copies.filter((copy) => copy.shard === shard);
            const counting = own.filter(({ counts }) => counts);
            return { shard, holding: own.map((one) => one.machine), zones: counting.map((one) => one.machine[0]!) };
          }),
          machines.map(({ zone, fits }, index) => ({ name: names[index]!, zone, fits })),
        );
        const granted = places.filter((one) => one.machine !== null);
        assert.equal(granted.length, best.most, 'a copy without a place, without need');
        assert.deepEqual(
          places.map((one) => one.machine !== null),
          best.granted,
          'a later wish before an earlier one',
        );
        assert.equal(granted.filter((one) => one.sharesZone).length, best.sharing, 'zones shared without need');
        assert.deepEqual(
          places.map(({ shard }) => shard),
          asked,
        );
        for (const name of names) {
          const here = granted.filter((one) => one.machine === name);
          assert.ok(here.length <= machines[names.indexOf(name)]!.fits, `${name} is over-committed`);
          for (const { shard } of here) {
            const held = copies.filter((copy) => copy.machine === name && copy.shard === shard).length;
            assert.equal(held + here.filter((one) => one.shard === shard).length, 1, 'copies together');
          }
        }
        assert.equal(add === null, granted.length === asked.length);
        assert.deepEqual(furtherPlaces(asked, present, NODE, view.toReversed()).places, places);
        searched += Number(granted.some((one) => one.sharesZone));
        lacking += Number(granted.length < asked.length);
      }),
      { numRuns: 8_000 },
    );
    assert.ok(searched > 500 && lacking > 500, `too few cases of a kind: ${searched}, ${lacking}`);
  });

  it('are no more than a lost machine held, its share of all; what was to be added is enough', () => {
    let lacking = 0;
    const cases = fc.record({
      machines: fc.integer({ min: 3, max: 12 }),
      shards: fc.integer({ min: 1, max: 15 }),
      replicas: fc.integer({ min: 1, max: 2 }),
      zones: fc.integer({ min: 1, max: 4 }),
      tight: fc.boolean(),
      lost: fc.nat(11),
    });
    fc.assert(
      fc.property(cases, ({ machines, shards, replicas, zones, tight, lost }) => {
        const spec = { ...DEFAULT_SPEC, shards, replicas };
        const nodes = Math.ceil((shards * (replicas + 1)) / machines);
        const empty = fleet(machines).map((one, index) => ({
          ...one,
          zone: `zone-${index % zones}`,
          memoryBytes: (tight ? nodes : 3 * nodes) * NODE,
        }));
        const placement = place(spec, roomy(empty, spec));
        assert.ok('places' in placement);
        const gone = empty[lost % machines]!.name;
        const copies = placement.places.map(({ shard, machine: name, birth }) => ({
          shard,
          machine: name,
          primary: birth.role === 'primary',
          counts: name !== gone,
        }));
        const view = empty.map((one) => ({
          ...one,
          connected: one.name !== gone,
          reservedBytes: copies.filter((copy) => copy.machine === one.name).length * NODE,
        }));
        const wishes = copies.filter(({ counts }) => !counts).map(({ shard }) => shard);
        const present = { shape: shapeOf(spec), copies };
        const { places, add } = furtherPlaces(wishes, present, NODE, view);
        // Zones alike, all machines have alike, and losing one moves that share.
        if (machines % zones === 0) assert.ok(places.length <= nodes, `${places.length} move, ${nodes} were there`);
        if (add === null) return;
        lacking += 1;
        const more = Array.from({ length: add.machines }, (_, index) =>
          machine(`new-${index}`, add.bytes / NODE, 0, { zone: `new-${index}` }),
        );
        const then = furtherPlaces(wishes, present, NODE, [...view, ...more]);
        assert.ok(
          then.places.every((one) => one.machine !== null),
          'what was to be added was not enough',
        );
      }),
      { numRuns: 1_000 },
    );
    assert.ok(lacking > 50, `${lacking} lacked room`);
  });

  it('are found at once also for a machine that holds copies of many shards', () => {
    const spec = { ...DEFAULT_SPEC, shards: 500, replicas: 1 };
    const view = fleet(1_000).map((one, index) => ({ ...one, zone: `zone-${index % 5}`, memoryBytes: 3 * NODE }));
    const placement = place(spec, roomy(view, spec));
    assert.ok('places' in placement);
    const copies = placement.places.map(({ shard, machine: name }) => ({
      shard,
      machine: name,
      primary: false,
      counts: true,
    }));
    const wishes = copies.slice(0, 300).map(({ shard }) => shard);
    const { places } = furtherPlaces(wishes, { shape: shapeOf(spec), copies }, NODE, view);
    assert.ok(places.every((one) => one.machine !== null && !one.sharesZone));
  });
});

/** The same fleet with memory enough for nodes of this spec. */
const roomy = (machines: readonly MachineView[], { shards }: { shards: number }): MachineView[] =>
  machines.map((one) => ({ ...one, memoryBytes: shards * 1024 ** 3 }));
