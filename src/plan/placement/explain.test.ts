import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { databaseOn, emptyView, fleet, readyWorld } from '../../../test/support/worlds.ts';
import type { Database } from '../../domain/database.ts';
import { HARD_RULES, type PlacementExplanation, SOFT_RULES } from '../../domain/placement.ts';
import type { DatabaseSpec } from '../../domain/spec.ts';
import type { DatabaseView, MachineView } from '../../domain/view.ts';
import { explainPlacement } from './explain.ts';
import { reservedBytesPerNode } from './reserve.ts';

type Change = Record<string, Partial<MachineView>>;

/** The machines with what the database reserves on them, then with these changes. */
function seen({ nodes, spec }: Database, view: DatabaseView, change: Change = {}, more: readonly MachineView[] = []) {
  const machines = [...view.machines, ...more].map((machine) => {
    const has = nodes.filter((node) => node.machine === machine.name).length;
    return { ...machine, reservedBytes: has * reservedBytesPerNode(spec), ...change[machine.name] };
  });
  return { ...view, machines };
}

/** A ready database, explained. */
function explained(
  machines: readonly MachineView[],
  wish: Partial<DatabaseSpec>,
  change: Change = {},
  more: readonly MachineView[] = [],
): PlacementExplanation {
  const { database, view } = readyWorld(machines, wish);
  return explainPlacement(database, seen(database, view, change, more));
}

const ruleOf = ({ rules }: PlacementExplanation, name: string) => rules.find(({ rule }) => rule === name)!;

const inZones = (...zones: string[]): MachineView[] =>
  fleet(zones.length).map((machine, index) => ({ ...machine, zone: zones[index]! }));

describe('explainPlacement', () => {
  it('says of each node where its like are, what it holds and reserves, and why it is not elsewhere', () => {
    const more = { ...fleet(4)[3]!, zone: 'd', reservedBytes: 0 };
    const { nodes, reserve } = explained(inZones('a', 'b', 'c'), {}, { 'machine-3': { connected: false } }, [more]);
    const [first] = nodes;
    assert.deepEqual(first, {
      node: '01'.repeat(20),
      shard: 'shard-1',
      role: 'primary',
      machine: 'machine-1',
      zone: 'a',
      others: [{ machine: 'machine-2', zone: 'b' }],
      nodesHere: 2,
      primariesHere: 1,
      memoryBytes: 8 * 1024 ** 3,
      reservedBytes: 2 * reserve.totalBytes,
      elsewhere: [
        { because: 'has_copy', machines: 1, examples: ['machine-2'] },
        { because: 'away', machines: 1, examples: ['machine-3'] },
        { because: 'fewer_nodes', machines: 1, examples: ['machine-4'] },
      ],
      sentences: [
        'No other copy of shard-1 is on machine-1 or in its zone a: the other is on machine-2 (b).',
        'machine-1 holds 1 of the 3 primaries; more than 1 would be a majority.',
        'It reserves 122.7mb; machine-1 has 245.3mb of 8gb reserved, 2 nodes of test among it.',
        'Elsewhere: machine-2 has a copy of it; machine-3 is away; machine-4 has fewer nodes of test now.',
      ],
    });
  });

  it('tells every rule, with figures, where all is well', () => {
    const { rules, reserve } = explained(inZones('a', 'b', 'c'), {});
    assert.deepEqual(
      rules.map(({ rule }) => rule),
      [...HARD_RULES, ...SOFT_RULES],
    );
    assert.ok(rules.every(({ holds, avoidable, breaches }) => holds && !avoidable && breaches.length === 0));
    assert.equal(reserve.dataBytes + reserve.spareBytes + reserve.processBytes, reserve.totalBytes);
    assert.deepEqual(
      rules.map(({ sentences }) => sentences),
      [
        ['No two copies of a shard are on one machine.'],
        ['No two copies of a shard are in one zone.'],
        ['No machine holds more than 1 of the 3 primaries; more than 1 would be a majority.'],
        ['No machine has more reserved than it has: 3 % of its memory at most, with 122.7mb for each node.'],
        ['Each machine that may have its nodes holds 1 of its primaries.'],
        ['Each machine that may have its nodes has 2 of them.'],
        ['Each machine that may have its nodes has 3 % of its memory reserved.'],
      ],
    );
  });

  it('says why a rule cannot hold, and what to add', () => {
    const alone = explained(fleet(1), { shards: 1 });
    assert.deepEqual(ruleOf(alone, 'apart').sentences, [
      'shard-1 has 2 copies on machine-1.',
      'The fleet has no other machine, and a copy beside its primary is better than none.',
      'Add one machine with at least 336mb for nodes.',
    ]);
    const full = explained(inZones('a', 'a'), { shards: 4 }, {}, [{ ...fleet(3)[2]!, zone: 'b', memoryBytes: 0 }]);
    assert.deepEqual(ruleOf(full, 'zones').sentences, [
      'shard-1 has 2 copies in the zone a.',
      'shard-2 has 2 copies in the zone a.',
      'shard-3 has 2 copies in the zone a.',
      'And 1 more case like these.',
      'No other machine would help: machine-3 has no room for 96mb.',
      'Add one machine with at least 384mb for nodes in another zone than a.',
    ]);
    const pair = explained(fleet(2), {});
    assert.deepEqual(ruleOf(pair, 'majority').sentences, [
      'machine-1 holds 2 of the 3 primaries.',
      '2 machines may have its nodes, too few to share its primaries so.',
      'Add one machine with at least 122.7mb for nodes.',
    ]);
    const away = explained(inZones('a', 'b'), {}, {}, [{ ...fleet(3)[2]!, connected: false }]);
    assert.deepEqual(ruleOf(away, 'majority').sentences.slice(1), [
      'No other machine would help: machine-3 is away.',
      'Add one machine with at least 122.7mb for nodes, or bring machine-3 back.',
    ]);
  });

  it('says what would mend a rule that is broken without need, and what is merely uneven', () => {
    const joined = explained(inZones('a', 'a'), { shards: 2 }, {}, inZones('a', 'a', 'b').slice(2));
    const zones = ruleOf(joined, 'zones');
    assert.deepEqual([zones.holds, zones.avoidable], [false, true]);
    assert.deepEqual(zones.remedy, { kind: 'move', shard: 'shard-1', from: 'machine-2', to: 'machine-3' });
    assert.equal(zones.sentences.at(-1), 'machine-3 has room for a copy of shard-1, in place of the one on machine-2.');
    const grown = explained(fleet(3), { shards: 6 }, {}, fleet(9).slice(3));
    const nodes = ruleOf(grown, 'even_nodes');
    assert.deepEqual([nodes.holds, nodes.figures], [false, { least: 0, most: 4, mostAnew: 2 }]);
    assert.equal(nodes.sentences[1], 'Placed anew, none would have more than 2; nothing moves for this alone.');
  });

  it('knows a primary before it is born, and a node whose machine is not known', () => {
    const database = databaseOn(fleet(3));
    const { nodes } = explainPlacement(database, emptyView(database, fleet(3)));
    assert.equal(nodes.filter(({ role }) => role === 'primary').length, 3);
    const lost = explainPlacement(database, { ...emptyView(database, []), machines: [] });
    assert.ok(lost.nodes.every(({ zone, elsewhere }) => zone === null && elsewhere.length === 0));
  });

  it('accounts for every other machine of every node, in whole sentences', () => {
    const worlds = fc.record({
      zones: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 2, maxLength: 8 }),
      shards: fc.integer({ min: 1, max: 8 }),
      replicas: fc.integer({ min: 0, max: 1 }),
      states: fc.array(fc.constantFrom('active', 'active', 'draining', 'removed', 'away'), {
        minLength: 8,
        maxLength: 8,
      }),
      shrunk: fc.nat(7),
    });
    fc.assert(
      fc.property(worlds, ({ zones, shards, replicas, states, shrunk }) => {
        const change: Change = Object.fromEntries(
          zones.map((_, index): [string, Partial<MachineView>] => {
            const state = states[index]!;
            const memory = index === shrunk ? { memoryBytes: 200 * 1024 ** 2 } : {};
            const now: Partial<MachineView> = state === 'away' ? { connected: false } : { state: state as 'active' };
            return [`machine-${index + 1}`, { ...now, ...memory }];
          }),
        );
        const all = explained(inZones(...zones), { shards, replicas }, change);
        assert.equal(all.nodes.length, shards * (replicas + 1));
        for (const { elsewhere } of all.nodes) {
          assert.equal(
            elsewhere.reduce((sum, { machines }) => sum + machines, 0),
            zones.length - 1,
          );
          assert.ok(elsewhere.every(({ machines, examples }) => examples.length === Math.min(machines, 3)));
        }
        for (const { holds, breaches, avoidable, remedy, hard } of all.rules) {
          if (hard) assert.equal(holds, breaches.length === 0);
          if (!holds && hard) assert.equal(avoidable, remedy !== null && remedy.kind !== 'add');
        }
        for (const sentence of [...all.rules, ...all.nodes].flatMap(({ sentences }) => sentences)) {
          assert.match(sentence, /^[^{}]+\.$/);
          assert.doesNotMatch(sentence, /undefined|NaN|Infinity|null|\.\.| {2}/);
        }
      }),
      { numRuns: 600 },
    );
  });
});
