import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  canAvoidMajority,
  hasMajority,
  sharingOf,
  type TrialMachine,
  tryAll,
} from '../../../test/support/placement-trial.ts';
import { fleet } from '../../../test/support/worlds.ts';
import type { Addition, HardRule } from '../../domain/placement.ts';
import { DEFAULT_SPEC } from '../../domain/spec.ts';
import type { MachineView } from '../../domain/view.ts';
import { place, shapeOf } from '../placement.ts';
import { judge, type Verdict } from './judge.ts';
import type { Layout, PlacedCopy } from './layout.ts';
import { reservedBytesPerNode } from './reserve.ts';

const NODE = 1_000;

/** By rule. */
const judged = (layout: Layout, machines: readonly MachineView[], nodeBytes = NODE): Record<HardRule, Verdict> =>
  Object.fromEntries(judge(layout, nodeBytes, machines).map((verdict) => [verdict.rule, verdict])) as Record<
    HardRule,
    Verdict
  >;

/** Each shard by its machines, the primary's first; a machine is named by its zone and a number. */
const layout = (...shards: string[]): Layout => ({
  shape: { shards: shards.length, copies: Math.max(...shards.map((words) => words.split(' ').length)) },
  copies: shards.flatMap((words, index) =>
    words.split(' ').map((machine, place) => ({
      shard: `shard-${index + 1}`,
      machine,
      primary: place === 0,
      counts: true,
    })),
  ),
});

/** The machines that a layout is on and others, each with room for so many more nodes than it has. */
function machines({ copies }: Layout, fits: Record<string, number>): MachineView[] {
  const names = [...new Set([...copies.map(({ machine }) => machine), ...Object.keys(fits)])];
  return names.map((name) => {
    const has = copies.filter(({ machine }) => machine === name).length;
    const memoryBytes = (has + (fits[name] ?? 0)) * NODE;
    return { ...fleet(1)[0]!, name, zone: name[0]!, memoryBytes, reservedBytes: has * NODE };
  });
}

describe('judge', () => {
  it('finds nothing wrong with what was placed, where the rules can be kept', () => {
    const spec = { ...DEFAULT_SPEC, shards: 9, replicas: 2 };
    const view = fleet(9).map((machine, index) => ({ ...machine, zone: `zone-${index % 3}` }));
    const { present, reserved } = asPlaced(spec, view);
    for (const { breaches, avoidable, remedy } of judge(present, reservedBytesPerNode(spec), reserved)) {
      assert.deepEqual([breaches, avoidable, remedy], [[], false, null]);
    }
  });

  it('names copies that are together, and the machine that could take one', () => {
    const present = layout('a1 a1', 'a1 b1');
    const { apart } = judged(present, machines(present, { c1: 1 }));
    assert.deepEqual(apart.breaches, [{ rule: 'apart', shard: 'shard-1', machine: 'a1', copies: 2 }]);
    assert.deepEqual(apart.remedy, { kind: 'move', shard: 'shard-1', from: 'a1', to: 'c1' });
    assert.equal(apart.avoidable, true);
  });

  it('does not blame a fleet of one machine, and says what to add', () => {
    const present = layout('a1 a1', 'a1 a1', 'a1 a1');
    const verdicts = judged(present, machines(present, { a1: 10 }));
    assert.deepEqual(
      [verdicts.apart, verdicts.zones, verdicts.majority].map(({ avoidable, remedy }) => [avoidable, remedy]),
      [
        [false, { kind: 'add', add: { machines: 1, bytes: 3 * NODE, zone: 'any', notIn: [] }, back: [] }],
        [false, { kind: 'add', add: { machines: 1, bytes: 3 * NODE, zone: 'another', notIn: ['a'] }, back: [] }],
        [false, { kind: 'add', add: { machines: 2, bytes: 2 * NODE, zone: 'any', notIn: [] }, back: [] }],
      ],
    );
  });

  it('tells a zone that is shared without need from one that must be', () => {
    const present = layout('a1 a2', 'a2 b1');
    const free = judged(present, machines(present, { b1: 1 })).zones;
    assert.deepEqual(free.breaches, [{ rule: 'zones', shard: 'shard-1', zone: 'a', copies: 2 }]);
    assert.deepEqual(free.remedy, { kind: 'move', shard: 'shard-1', from: 'a2', to: 'b1' });
    const full = judged(present, machines(present, {})).zones;
    assert.deepEqual(
      [full.avoidable, full.remedy],
      [false, { kind: 'add', add: { machines: 1, bytes: NODE, zone: 'another', notIn: ['a'] }, back: [] }],
    );
    const away = machines(present, { b2: 1 }).map((one) => (one.name === 'b2' ? { ...one, connected: false } : one));
    const { avoidable, remedy } = judged(present, away).zones;
    assert.deepEqual([avoidable, remedy?.kind === 'add' ? remedy.back : []], [false, ['b2']]);
  });

  it('sees that a zone could be spared by moving several copies, where no single move would do', () => {
    const present = layout('a1 a2', 'b1 c1');
    const { zones } = judged(present, machines(present, {}));
    assert.deepEqual([zones.avoidable, zones.remedy], [true, { kind: 'rearrange' }]);
    const stuck = layout('a1 a2', 'a1 b1');
    assert.equal(judged(stuck, machines(stuck, { a3: 1 })).zones.avoidable, false);
  });

  it('prefers a switchover where a machine holds a majority of the primaries', () => {
    const present = layout('a1 a2', 'a1 a3', 'a3 a1');
    const { majority } = judged(present, machines(present, {}));
    assert.deepEqual(majority.breaches, [{ rule: 'majority', machine: 'a1', primaries: 2 }]);
    assert.deepEqual(majority.remedy, { kind: 'switch_over', shard: 'shard-1', from: 'a1', to: 'a2' });
    const pair = layout('a1 a2', 'a1 a2', 'a2 a1');
    const two = judged(pair, machines(pair, {})).majority;
    assert.deepEqual(
      [two.avoidable, two.remedy],
      [false, { kind: 'add', add: { machines: 1, bytes: NODE, zone: 'any', notIn: [] }, back: [] }],
    );
    assert.deepEqual(judged(pair, machines(pair, { a3: 1 })).majority.remedy, { kind: 'rearrange' });
  });

  it('sees memory that is over-committed, as after a machine has lost some', () => {
    const present = layout('a1 b1', 'a1 b1');
    const shrunk = machines(present, { c1: 1 }).map((one) =>
      one.name === 'b1' ? { ...one, memoryBytes: one.reservedBytes - 200 } : one,
    );
    const { memory } = judged(present, shrunk);
    assert.deepEqual(memory.breaches, [{ rule: 'memory', machine: 'b1', overBytes: 200 }]);
    assert.deepEqual(memory.remedy, { kind: 'move', shard: 'shard-1', from: 'b1', to: 'c1' });
  });

  it('leaves out what no longer counts', () => {
    const present = layout('a1 b1 a2');
    const copies = present.copies.map((copy) => (copy.machine === 'a1' ? { ...copy, counts: false } : copy));
    const draining = machines(present, {}).map((one) =>
      one.name === 'a1' ? { ...one, state: 'draining' as const } : one,
    );
    assert.deepEqual(judged({ shape: { shards: 1, copies: 2 }, copies }, draining).zones.breaches, []);
  });

  it('agrees with trying everything', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(worlds, ({ present, view }) => {
        const verdicts = judged(present, view);
        const expected = tried(present, view);
        for (const rule of ['apart', 'zones', 'majority'] as const) {
          const { breaches, avoidable, remedy } = verdicts[rule];
          const found = breaches.length === 0 ? 'kept' : avoidable ? 'avoidable' : 'unavoidable';
          assert.equal(found, expected[rule], rule);
          assert.equal(remedy === null || remedy.kind === 'add', found !== 'avoidable', `${rule}: ${remedy?.kind}`);
          seen.set(`${rule} ${found}`, (seen.get(`${rule} ${found}`) ?? 0) + 1);
        }
      }),
      { numRuns: 8_000 },
    );
    assert.equal(seen.size, 9, 'every rule kept, broken without need, and broken of necessity');
    assert.ok(Math.min(...seen.values()) > 100, JSON.stringify([...seen]));
  });

  it('advises moves that each mend something, and never more of them than copies that share a zone', () => {
    let moved = 0;
    fc.assert(
      fc.property(worlds, ({ present, view }) => {
        let [now, fleetNow]: [Layout, MachineView[]] = [present, view];
        const start = sharingNow(now, fleetNow);
        let moves = 0;
        for (;;) {
          const { remedy } = judged(now, fleetNow).zones;
          if (remedy?.kind !== 'move') break;
          const before = sharingNow(now, fleetNow);
          [now, fleetNow] = afterMove(now, fleetNow, remedy);
          assert.ok(sharingNow(now, fleetNow) < before, 'the move mended nothing');
          moves += 1;
        }
        assert.ok(moves <= start, `${moves} moves, ${start} copies that shared a zone`);
        moved += moves;
      }),
      { numRuns: 5_000 },
    );
    assert.ok(moved > 500, `${moved} moves`);
  });

  it('moves nothing onto a machine that joins while every rule holds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 2, max: 12 }),
        fc.constantFrom('zone-0', 'zone-1', 'new'),
        (count, shards, zone) => {
          const spec = { ...DEFAULT_SPEC, shards: 2 * shards, memoryBytes: 1024 ** 3 };
          const view = fleet(count).map((machine, index) => ({ ...machine, zone: `zone-${index % 2}` }));
          const { present, reserved } = asPlaced(spec, view);
          const joined = { ...fleet(count + 1).at(-1)!, zone };
          const verdicts = judge(present, reservedBytesPerNode(spec), [...reserved, joined]);
          assert.deepEqual(
            verdicts.flatMap(({ remedy }) => remedy ?? []),
            [],
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('says what is enough to add, and not a node or a machine more', () => {
    const seen = { one: 0, several: 0 };
    fc.assert(
      fc.property(worlds, ({ present, view }) => {
        const verdicts = judged(present, view);
        for (const rule of ['apart', 'zones', 'majority'] as const) {
          const { remedy } = verdicts[rule];
          if (remedy?.kind !== 'add') continue;
          const { add, back } = remedy;
          const isEnough = (change: Partial<Addition>, notIn: readonly string[] = []): boolean =>
            canHold(rule, present, [...takers(present, view), ...added({ ...add, ...change }, view, notIn)]);
          assert.ok(isEnough({}), `${rule}: ${JSON.stringify(add)} is not enough`);
          if (add.bytes > NODE) assert.ok(!isEnough({ bytes: add.bytes - NODE }), `${rule}: less memory is enough`);
          const most = present.shape.shards * NODE;
          if (add.machines > 1) assert.ok(!isEnough({ machines: add.machines - 1, bytes: most }), `${rule}: fewer do`);
          for (const zone of add.notIn) assert.ok(!isEnough({ zone: 'any' }, [zone]), `${rule}: ${zone} does`);
          for (const name of back) {
            const returned = view.map((one) => (one.name === name ? { ...one, connected: true } : one));
            assert.ok(canHold(rule, present, takers(present, returned)), `${rule}: ${name} back is not enough`);
          }
          seen[add.machines === 1 ? 'one' : 'several'] += 1;
        }
      }),
      { numRuns: 1_500 },
    );
    assert.ok(seen.one > 200 && seen.several > 50, JSON.stringify(seen));
  });
});

/** A database as `place` lays it, and the machines with what it reserves. */
function asPlaced(spec: typeof DEFAULT_SPEC, view: readonly MachineView[]) {
  const placement = place(spec, view);
  assert.ok('places' in placement);
  const copies = placement.places.map(
    ({ shard, machine, birth }): PlacedCopy => ({ shard, machine, primary: birth.role === 'primary', counts: true }),
  );
  const reserved = view.map((machine) => {
    const has = copies.filter((copy) => copy.machine === machine.name).length;
    return { ...machine, reservedBytes: has * reservedBytesPerNode(spec) };
  });
  return { present: { shape: shapeOf(spec), copies }, reserved };
}

/** Layouts that nobody would make: copies anywhere, some machines away or draining. */
const worlds = fc
  .record({ shards: fc.integer({ min: 1, max: 3 }), copies: fc.integer({ min: 1, max: 3 }) })
  .chain(({ shards, copies }) =>
    fc.record({
      machines: fc.array(
        fc.record({
          zone: fc.constantFrom('a', 'a', 'b', 'c'),
          fits: fc.constantFrom(0, 0, 1, 1, 2),
          connected: fc.constantFrom(true, true, true, true, false),
          state: fc.constantFrom('active', 'active', 'active', 'active', 'draining') as fc.Arbitrary<
            MachineView['state']
          >,
        }),
        { minLength: 2, maxLength: 5 },
      ),
      at: fc.array(fc.array(fc.nat(9), { minLength: copies, maxLength: copies }), {
        minLength: shards,
        maxLength: shards,
      }),
      shape: fc.constant({ shards, copies }),
    }),
  )
  .map(({ machines: shapes, at, shape }) => {
    const names = shapes.map(({ zone }, index) => `${zone}${index + 1}`);
    const copies = at.flatMap((places, shard) =>
      places.map((place, index): PlacedCopy => {
        const which = place % names.length;
        const counts = shapes[which]!.state === 'active';
        return { shard: `shard-${shard + 1}`, machine: names[which]!, primary: index === 0, counts };
      }),
    );
    const view = shapes.map(({ fits, ...change }, index): MachineView => {
      const has = copies.filter(({ machine }) => machine === names[index]).length;
      const memory = { memoryBytes: (has + fits) * NODE, reservedBytes: has * NODE };
      return { ...fleet(1)[0]!, name: names[index]!, ...change, ...memory };
    });
    return { present: { shape, copies } satisfies Layout, view };
  });

/** Machines that may take nodes, with how many if the database were not there. */
const takers = ({ copies }: Layout, view: readonly MachineView[]): TrialMachine[] =>
  view
    .filter(({ connected, state }) => connected && state === 'active')
    .map(({ name, zone, memoryBytes, reservedBytes }) => {
      const has = copies.filter(({ machine }) => machine === name).length;
      return { name, zone, fits: (memoryBytes - reservedBytes) / NODE + has };
    });

const shardsOf = ({ copies }: Layout): PlacedCopy[][] =>
  Object.values(Object.groupBy(copies, ({ shard }) => shard)).map((all) => all!);

const sharingNow = (present: Layout, view: readonly MachineView[]): number =>
  sharingOf(
    shardsOf(present).map((all) => all.filter(({ counts }) => counts).map(({ machine }) => machine)),
    (name) => view.find((one) => one.name === name)?.zone,
  );

const togetherIn = (present: Layout): number =>
  shardsOf(present).reduce((sum, all) => {
    const names = all.filter(({ counts }) => counts).map(({ machine }) => machine);
    return sum + names.length - new Set(names).size;
  }, 0);

function afterMove(
  present: Layout,
  view: readonly MachineView[],
  { shard, from, to }: { shard: string; from: string; to: string },
): [Layout, MachineView[]] {
  const leaving = present.copies.filter((copy) => copy.shard === shard && copy.machine === from);
  const goes = leaving.find(({ primary }) => !primary) ?? leaving[0]!;
  const copies = present.copies.map((copy) => (copy === goes ? { ...copy, machine: to, counts: true } : copy));
  const moved = view.map((one) => {
    const change = Number(one.name === to) - Number(one.name === from);
    return { ...one, reservedBytes: one.reservedBytes + change * NODE };
  });
  return [{ ...present, copies }, moved];
}

/** Every layout that is one copy away: to a machine that may take it, has room, and has no copy of the shard. */
const oneMoveAway = (present: Layout, view: readonly MachineView[]): [Layout, MachineView[]][] =>
  present.copies
    .filter(({ counts }) => counts)
    .flatMap(({ shard, machine: from }) =>
      view
        .filter(({ connected, state }) => connected && state === 'active')
        .filter(({ memoryBytes, reservedBytes }) => memoryBytes - reservedBytes >= NODE)
        .filter(({ name }) => !present.copies.some((copy) => copy.shard === shard && copy.machine === name))
        .map(({ name: to }) => afterMove(present, view, { shard, from, to })),
    );

type Finding = 'kept' | 'avoidable' | 'unavoidable';

/** What the verdicts should be, by the words of the rules and of what can be avoided. */
function tried(present: Layout, view: readonly MachineView[]): Record<'apart' | 'zones' | 'majority', Finding> {
  const { shards, copies } = present.shape;
  const anew = tryAll(takers(present, view), shards, copies);
  const one = oneMoveAway(present, view);
  const finding = (broken: boolean, better: boolean): Finding =>
    broken ? (better ? 'avoidable' : 'unavoidable') : 'kept';
  const isAway = (name: string): boolean => view.find((machine) => machine.name === name)?.connected === false;
  const together = togetherIn(present);
  const sharing = sharingNow(present, view);
  const counting = shardsOf(present).map((all) => all.filter(({ counts }) => counts));
  const primaries = shardsOf(present).map((all) => {
    return all.find((copy) => copy.primary)!.machine;
  });
  const others = counting.map((all, index) => {
    const here = all.map(({ machine }) => machine).filter((name) => !isAway(name));
    return [...new Set([primaries[index]!, ...here])];
  });
  return {
    apart: finding(together > 0, anew !== null || one.some(([layoutThen]) => togetherIn(layoutThen) < together)),
    zones: finding(
      sharing > 0,
      (anew !== null && anew.sharing < sharing) || one.some((then) => sharingNow(...then) < sharing),
    ),
    majority: finding(hasMajority(primaries), canAvoidMajority(others) || anew?.withoutMajority === true),
  };
}

/** Whether the rule would hold if the database were placed anew on these machines. */
function canHold(rule: 'apart' | 'zones' | 'majority', { shape }: Layout, on: readonly TrialMachine[]): boolean {
  const best = tryAll(on, shape.shards, shape.copies);
  if (best === null) return false;
  return rule === 'apart' || (rule === 'zones' ? best.sharing === 0 : best.withoutMajority);
}

/** The machines of an advice, in the worst zones that it allows, or in this one. */
function added(
  { machines: count, bytes, zone, notIn }: Addition,
  view: readonly MachineView[],
  zones: readonly string[],
) {
  const allowed = view.map((machine) => machine.zone).filter((known) => !notIn.includes(known));
  return Array.from({ length: count }, (_, index): TrialMachine => {
    const where = zones[0] ?? (zone === 'new' ? undefined : allowed[0]) ?? `new-${zone === 'new' ? index : ''}`;
    return { name: `new-${index}`, zone: where, fits: bytes / NODE };
  });
}
