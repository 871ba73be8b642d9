/** Spreads of slots, and what they come to: loads, what moved, and what had to. */
import assert from 'node:assert/strict';
import { SLOT_COUNT, type SlotRange, splitEvenly } from '../../src/domain/slots.ts';
import { spread, TOLERANCE } from '../../src/plan/slots/spread.ts';
import type { Random } from '../sim/random.ts';

/** Slots by shard. */
export type Owners = ReadonlyMap<string, readonly SlotRange[]>;

/** Weights that are all the same. */
export const ALIKE = new Float64Array(SLOT_COUNT).fill(1);

/** s1, s2, and so on. */
export const named = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => `s${from + at}`);
/** Owners of as many slots each. */
export const even = (count: number): Owners => new Map(splitEvenly(count).map((range, at) => [`s${at + 1}`, [range]]));

/** Owners as the names by slot say; '' is nobody. */
export function owning(names: readonly string[]): Owners {
  const owners = new Map<string, SlotRange[]>();
  for (const [slot, name] of names.entries()) {
    if (name === '') continue;
    if (!owners.has(name)) owners.set(name, []);
    owners.get(name)!.push([slot, slot]);
  }
  return owners;
}

/** By slot; fails where two own the same. */
export function bySlot(owners: Owners): string[] {
  const names = new Array<string>(SLOT_COUNT).fill('');
  for (const [name, ranges] of owners) {
    for (const [from, to] of ranges) {
      for (let slot = from; slot <= to; slot += 1) {
        if (names[slot] !== '') assert.fail(`slot ${slot} is of ${names[slot]} and of ${name}`);
        names[slot] = name;
      }
    }
  }
  return names;
}

/** What became of a wish. */
export interface Outcome {
  goal: ReadonlyMap<string, readonly SlotRange[]>;
  names: string[];
  /** By shard. */
  loads: Map<string, number>;
  mean: number;
  moved: number;
  movedSlots: number;
  /** What moves at least. */
  least: number;
  ranges: number;
}

/** Spreads, and fails where a slot gets lost, or goes to somebody who is not asked for. */
export function outcomeOf(
  owners: Owners,
  weights: Float64Array,
  shards: readonly string[],
  tolerance = TOLERANCE,
): Outcome {
  const goal = spread({ owners, weights, shards, tolerance });
  const [before, names] = [bySlot(owners), bySlot(goal)];
  assert.deepEqual([...goal.keys()], shards);
  const loads = new Map(shards.map((name) => [name, 0]));
  const present = new Map(loads);
  let [moved, movedSlots, total] = [0, 0, 0];
  for (const [slot, name] of names.entries()) {
    if ((name === '') !== (before[slot] === '')) assert.fail(`slot ${slot} of '${before[slot]}' goes to '${name}'`);
    if (name === '') continue;
    const weight = weights[slot]!;
    total += weight;
    loads.set(name, loads.get(name)! + weight);
    present.set(before[slot]!, (present.get(before[slot]!) ?? 0) + weight);
    if (name === before[slot]) continue;
    moved += weight;
    movedSlots += 1;
  }
  const mean = total / shards.length;
  let [given, taken] = [0, 0];
  for (const [name, load] of present) {
    given += loads.has(name) ? Math.max(0, load - mean * (1 + tolerance)) : load;
    if (loads.has(name)) taken += Math.max(0, mean * (1 - tolerance) - load);
  }
  const ranges = [...goal.values()].reduce((sum, list) => sum + list.length, 0);
  return { ...{ goal, names, loads, mean, moved, movedSlots }, least: Math.max(given, taken), ranges };
}

/** All are within the tolerance of the mean, up to rounding. */
export function assertWithin(loads: Iterable<number>, mean: number, tolerance = TOLERANCE): void {
  for (const load of loads) {
    assert.ok(Math.abs(load - mean) <= mean * (tolerance + 1e-6), `${load} where the mean is ${mean}`);
  }
}

/** Weights of skewed keys in no order: the load of rank r is r to the power of -exponent. */
export function skewed(random: Random, exponent: number): Float64Array {
  const weights = new Float64Array(SLOT_COUNT);
  const slots = random.shuffled(Array.from(weights.keys()));
  for (const [rank, slot] of slots.entries()) weights[slot] = 1_000_000 * (rank + 1) ** -exponent;
  return weights;
}

/** Weights by chance, all as likely. */
export const uniform = (random: Random): Float64Array => ALIKE.map(() => random.next());
