import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../../test/sim/random.ts';
import {
  ALIKE,
  assertWithin,
  bySlot,
  even,
  named,
  type Owners,
  outcomeOf,
  skewed,
  uniform,
} from '../../../test/support/spread-outcome.ts';
import { countSlots, SLOT_COUNT, type SlotRange } from '../../domain/slots.ts';
import { spread, TOLERANCE } from './spread.ts';

/** What may move beside what must, where lumps allow no better. */
const LITTLE_MORE = 1.01;

describe('more shards', () => {
  it('get their share in few ranges, and nothing else moves', () => {
    const { loads, mean, movedSlots, least, ranges, names } = outcomeOf(even(3), ALIKE, named(1, 4));
    assertWithin(loads.values(), mean);
    assert.ok(movedSlots <= least + 5, `${movedSlots} where ${least} must`);
    assert.ok(ranges <= 6, `${ranges}`);
    const before = bySlot(even(3));
    assert.ok(
      names.every((name, slot) => name === before[slot] || name === 's4'),
      'only towards the new one',
    );
  });

  it('get as little as brings all within the tolerance when weights differ', () => {
    for (const [seed, weights] of [uniform(new Random(1)), skewed(new Random(2), 0.7)].entries()) {
      const { loads, mean, moved, least, ranges } = outcomeOf(even(20), weights, named(1, 25));
      assertWithin(loads.values(), mean);
      assert.ok(moved <= least * 1.01, `weights ${seed}: ${moved} where ${least} must`);
      assert.ok(ranges < 120, `weights ${seed}: ${ranges} ranges`);
    }
  });
});

describe('hundreds of shards', () => {
  it('are brought within the tolerance in few ranges, though a share is few slots', () => {
    const { loads, mean, moved, least, ranges } = outcomeOf(even(400), uniform(new Random(11)), named(1, 500));
    assertWithin(loads.values(), mean);
    assert.ok(moved <= least * 1.01, `${moved} where ${least} must`);
    assert.ok(ranges < 1800, `${ranges} ranges`);
  });
});

describe('fewer shards', () => {
  it('take over all of those that leave, and nothing else moves', () => {
    const { goal, loads, mean, movedSlots, ranges } = outcomeOf(even(5), ALIKE, named(1, 3));
    assertWithin(loads.values(), mean);
    assert.deepEqual([...goal.keys()], ['s1', 's2', 's3']);
    assert.equal(movedSlots, countSlots([...even(5).get('s4')!, ...even(5).get('s5')!]));
    assert.ok(ranges <= 6, `${ranges}`);
  });

  it('take what is next to them', () => {
    assert.equal(outcomeOf(even(5), ALIKE, ['s1', 's3', 's5']).ranges, 3);
  });

  it('stay within the tolerance also while others come', () => {
    const { loads, mean, moved, least } = outcomeOf(even(12), uniform(new Random(4)), named(4, 18));
    assertWithin(loads.values(), mean);
    assert.ok(moved <= least * 1.01, `${moved} where ${least} must`);
  });
});

describe('the same shards', () => {
  it('keep what they have when all are within the tolerance', () => {
    const owners = even(3);
    assert.deepEqual(spread({ owners, weights: ALIKE, shards: named(1, 3) }), owners);
    const some: Owners = new Map([
      ['s1', [[0, 99]]],
      ['s2', [[100, 199]]],
    ]);
    assert.deepEqual(spread({ owners: some, weights: ALIKE, shards: ['s2', 's1'] }), some);
  });

  it('are levelled, by the least load', () => {
    for (const [seed, exponent] of [0.7, 1, 1.1].entries()) {
      const { loads, mean, moved, least } = outcomeOf(even(5), skewed(new Random(seed), exponent), named(1, 5));
      assertWithin(loads.values(), mean);
      assert.ok(moved <= least * 1.05, `exponent ${exponent}: ${moved} where ${least} must`);
    }
  });

  it('are left alone after they were levelled', () => {
    for (const seed of [1, 2, 3]) {
      const weights = skewed(new Random(seed), 0.4 * seed);
      const goal = spread({ owners: even(7), weights, shards: named(3, 12) });
      assert.deepEqual(spread({ owners: goal, weights, shards: named(3, 12) }), goal);
    }
  });
});

describe('alike or without load', () => {
  it('slots are counted: at most one of difference, or within the tolerance', () => {
    for (const [from, to] of [
      [1, 7],
      [7, 3],
      [60, 77],
      [400, 500],
      [500, 400],
      [1000, 950],
    ] as const) {
      for (const weights of [ALIKE, new Float64Array(SLOT_COUNT)]) {
        const goal = spread({ owners: even(from), weights, shards: named(1, to) });
        const counts = [...goal.values()].map(countSlots);
        const mean = SLOT_COUNT / to;
        const isClose = counts.every((count) => Math.abs(count - mean) <= mean * TOLERANCE);
        const text = `${from} to ${to}: ${Math.min(...counts)} to ${Math.max(...counts)}`;
        assert.ok(isClose || Math.max(...counts) - Math.min(...counts) <= 1, text);
      }
    }
  });

  it('and where these are too few for the tolerance, they differ by one', () => {
    for (const [slots, shards] of [
      [100, 14],
      [200, 64],
      [64, 100],
      [20, 3],
      [3, 2],
    ] as const) {
      const owners: Owners = new Map([
        ['s1', [[0, slots - 2]]],
        ['s2', [[slots - 1, slots - 1]]],
      ]);
      const counts = [...spread({ owners, weights: ALIKE, shards: named(1, shards) }).values()].map(countSlots);
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${slots} on ${shards}: ${counts}`);
    }
  });

  it('empty slots stay where a few others have all the load, unless their shard is to own none', () => {
    const weights = new Float64Array(SLOT_COUNT);
    for (const slot of [10, 20, 30, 40]) weights[slot] = 1;
    const { loads, movedSlots } = outcomeOf(even(2), weights, named(1, 4));
    assert.deepEqual([...loads.values()], [1, 1, 1, 1]);
    assert.equal(movedSlots, 3);
    const { goal, ranges } = outcomeOf(even(4), weights, named(1, 3));
    assert.ok(ranges <= 12, `${ranges} ranges`);
    const counts = [...goal.values()].map(countSlots);
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 10, `${counts}`);
  });
});

describe('a slot that is heavier than a share', () => {
  it('has a shard to itself, and the others are levelled', () => {
    const weights = Float64Array.from(ALIKE);
    weights[100] = 40_000;
    const { goal, loads, names } = outcomeOf(even(3), weights, named(1, 3));
    assert.equal(names[100], 's1');
    assert.deepEqual(goal.get('s1'), [[100, 100]]);
    assertWithin([loads.get('s2')!, loads.get('s3')!], (SLOT_COUNT - 1) / 2);
  });

  it('goes to an empty shard when another such slot is next to it, or its shard leaves', () => {
    const weights = Float64Array.from(ALIKE);
    [weights[100], weights[101], weights[SLOT_COUNT - 1]] = [40_000, 50_000, 60_000];
    const { loads, names, goal } = outcomeOf(even(5), weights, [...named(1, 4), ...named(6, 8)]);
    assert.equal(names[101], 's1');
    assert.deepEqual([names[SLOT_COUNT - 1], names[100]], ['s6', 's7']);
    for (const name of ['s1', 's6', 's7']) assert.equal(countSlots(goal.get(name)!), 1);
    const others = ['s2', 's3', 's4', 's8'].map((name) => loads.get(name)!);
    assertWithin(others, (SLOT_COUNT - 3) / 4);
  });

  it('is one of several when load is skewed over many shards', () => {
    const weights = skewed(new Random(6), 1.1);
    const { loads } = outcomeOf(even(100), weights, named(1, 120));
    const sorted = [...loads.values()].sort((a, b) => b - a);
    const heaviest = weights.toSorted().reverse();
    const alone = sorted.findIndex((load, at) => Math.abs(load - heaviest[at]!) > 1e-6);
    assert.ok(alone >= 10, `${alone} have a shard to themselves`);
    const rest = sorted.slice(alone);
    assertWithin(rest, rest.reduce((sum, load) => sum + load, 0) / rest.length);
  });
});

/** Grains of some kind, and lumps that fit: for each shard some that fill a part of its share. Owners have random runs. */
function lumpyCase(random: Random): { weights: Float64Array; owners: Owners; shards: string[] } {
  const count = 2 + random.below(8);
  const first = random.below(3);
  const grain = random.pick([() => random.next(), () => random.next() ** 8, () => (random.chance(0.9) ? 0 : 1)]);
  const weights = ALIKE.map(grain);
  const lumps = Array.from({ length: count }, () => {
    const [filled, among] = [random.between(0, 0.85), 1 + random.below(3)];
    return Array.from({ length: among }, () => filled / among);
  }).flat();
  const share = weights.reduce((sum, one) => sum + one, 0) / (count - lumps.reduce((sum, one) => sum + one, 0));
  for (const lump of lumps) weights[random.below(SLOT_COUNT)] = lump * share;
  const old = 1 + random.below(count + 4);
  const cuts = Array.from({ length: old * 3 }, () => random.below(SLOT_COUNT));
  const runs = [...new Set([0, ...cuts, SLOT_COUNT])].sort((a, b) => a - b);
  const owners = new Map<string, SlotRange[]>();
  for (const [at, from] of runs.slice(0, -1).entries()) {
    const name = `s${at % old}`;
    owners.set(name, [...(owners.get(name) ?? []), [from, runs[at + 1]! - 1]]);
  }
  return { weights, owners, shards: named(first, first + count - 1) };
}

describe('lumps among grains', () => {
  it('are brought within the tolerance, for little more than must move, and then left alone', () => {
    const parts: number[] = [];
    for (let seed = 0; seed < 20; seed += 1) {
      const random = new Random(seed);
      const { weights, owners, shards } = lumpyCase(random);
      const first = outcomeOf(owners, weights, shards);
      assertWithin(first.loads.values(), first.mean);
      assert.deepEqual(spread({ owners: first.goal, weights, shards }), first.goal, `seed ${seed}`);
      // Load has shifted since: who was level is not any more.
      const later = weights.map((weight) => weight * random.between(0.8, 1.1));
      const second = outcomeOf(first.goal, later, shards);
      assertWithin(second.loads.values(), second.mean);
      for (const { moved, least } of [first, second]) if (least > 0) parts.push(moved / least);
    }
    const average = parts.reduce((sum, part) => sum + part, 0) / parts.length;
    assert.ok(average <= LITTLE_MORE, `${average} times what must move`);
  });

  it('are evened out by grains where exchanges of lumps would move more', () => {
    for (const seed of [137, 293, 371]) {
      const { weights, owners, shards } = lumpyCase(new Random(seed));
      const { moved, least } = outcomeOf(owners, weights, shards);
      assert.ok(moved <= least * 1.02, `seed ${seed}: ${moved} where ${least} must`);
    }
  });

  it('stay where everybody else lacks less than one of them', () => {
    const owners = even(6);
    const weights = ALIKE.map((_, slot) => (slot < owners.get('s1')![0]![1] ? 1.05 : 0.9));
    weights[7] = 0.45 * countSlots(owners.get('s1')!);
    const { names, moved, least } = outcomeOf(owners, weights, named(1, 6));
    assert.equal(names[7], 's1');
    assert.ok(moved <= least * LITTLE_MORE, `${moved} where ${least} must`);
  });
});

describe('what is asked', () => {
  it('stays as it is', () => {
    const weights = uniform(new Random(8));
    const [owners, before] = [even(4), weights.slice()];
    spread({ owners, weights, shards: named(2, 9) });
    assert.deepEqual([owners, weights], [even(4), before]);
  });

  it('must name a shard that is to own slots', () => {
    assert.throws(() => spread({ owners: even(2), weights: ALIKE, shards: [] }), /no shard is to own slots/);
  });

  it('is answered with the fewest ranges that say it', () => {
    const goal = spread({ owners: even(9), weights: skewed(new Random(9), 0.8), shards: named(4, 16) });
    for (const ranges of goal.values()) {
      ranges.reduce((end, [from, to]) => {
        assert.ok(from > end + 1 && to >= from, `${ranges}`);
        return to;
      }, -2);
    }
  });
});
