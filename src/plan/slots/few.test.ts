/** Spreads of few slots with load, against all that can be tried. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../../test/sim/random.ts';
import { assertWithin, bySlot, named, type Owners, outcomeOf, owning } from '../../../test/support/spread-outcome.ts';
import { SLOT_COUNT } from '../../domain/slots.ts';

/** What a spread is judged by: the first that differs decides. */
interface Judged {
  largest: number;
  outside: boolean;
  moved: number;
}

interface Small {
  weights: Float64Array;
  /** Slots with load. */
  slots: number[];
  before: string[];
  shards: string[];
}

function judge({ weights, slots, before, shards }: Small, owners: readonly string[], tolerance: number): Judged {
  const loads = new Map(shards.map((name) => [name, 0]));
  let [moved, total] = [0, 0];
  for (const [at, slot] of slots.entries()) {
    loads.set(owners[at]!, loads.get(owners[at]!)! + weights[slot]!);
    total += weights[slot]!;
    if (owners[at] !== before[at]) moved += weights[slot]!;
  }
  const mean = total / shards.length;
  const outside = [...loads.values()].some((load) => Math.abs(load - mean) > mean * tolerance + 1e-9);
  return { largest: Math.max(...loads.values()), outside, moved };
}

/** The smallest largest load, and the least that must move to bring all within the tolerance; null when nothing does. */
function triedAll(small: Small, tolerance: number): { largest: number; moved: number | null } {
  const { slots, shards } = small;
  let [largest, moved] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let code = 0; code < shards.length ** slots.length; code += 1) {
    const owners = slots.map((_, at) => shards[Math.floor(code / shards.length ** at) % shards.length]!);
    const judged = judge(small, owners, tolerance);
    largest = Math.min(largest, judged.largest);
    if (!judged.outside) moved = Math.min(moved, judged.moved);
  }
  return { largest, moved: Number.isFinite(moved) ? moved : null };
}

function smallCase(random: Random): { small: Small; owners: Owners } {
  const shards = named(1, 2 + random.below(2));
  const names = named(1 + random.below(2), 2 + random.below(3));
  // Every slot has an owner, or only those with load have.
  const before = random.chance(0.5)
    ? bySlot(owning(Array.from({ length: SLOT_COUNT }, (_, slot) => names[Math.floor(slot / 3000) % names.length]!)))
    : [];
  const slots = random.shuffled(Array.from({ length: 16 }, (_, at) => at * 1000)).slice(0, 2 + random.below(5));
  for (const slot of slots) before[slot] = random.pick(names);
  const weights = new Float64Array(SLOT_COUNT);
  for (const slot of slots) weights[slot] = 1 + random.below(30);
  const owners = owning(Array.from({ length: SLOT_COUNT }, (_, slot) => before[slot] ?? ''));
  return { small: { weights, slots, shards, before: slots.map((slot) => before[slot]!) }, owners };
}

describe('few slots with load', () => {
  it('are spread as well as trying all can', () => {
    const random = new Random(7);
    let [possible, impossible] = [0, 0];
    for (let round = 0; round < 80; round += 1) {
      const { small, owners } = smallCase(random);
      const tolerance = random.pick([0.05, 0.1, 0.25]);
      const best = triedAll(small, tolerance);
      const { names } = outcomeOf(owners, small.weights, small.shards, tolerance);
      const found = judge(
        small,
        small.slots.map((slot) => names[slot]!),
        tolerance,
      );
      const loads = small.slots.map((slot) => small.weights[slot]);
      const context = JSON.stringify({ round, before: small.before, loads, shards: small.shards, best, found });
      assert.ok(found.largest <= best.largest * Math.max(1.1, 1 + tolerance), context);
      if (best.moved === null) impossible += 1;
      else {
        possible += 1;
        assert.ok(!found.outside && found.moved <= best.moved + 1e-9, context);
      }
    }
    assert.ok(possible > 12 && impossible > 12, `${possible} and ${impossible}`);
  });

  it('and some more: lumps on five shards all come within the tolerance', () => {
    for (let seed = 0; seed < 40; seed += 1) {
      const random = new Random(seed);
      const weights = new Float64Array(SLOT_COUNT);
      const names = Array.from({ length: 30 }, (_, slot) => {
        weights[slot] = 1 + random.below(30);
        return `s${1 + random.below(6)}`;
      });
      const { loads, mean } = outcomeOf(owning(names), weights, named(1, 5));
      assertWithin(loads.values(), mean);
    }
  });
});
