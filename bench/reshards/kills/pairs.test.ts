import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Random } from '../../../test/sim/random.ts';
import { courseFor, LEAST_SHARDS, MOMENTS, MOST_SHARDS, Turns, VICTIMS } from './pairs.ts';

it('tries every pair once before any a second time, whenever it can happen', () => {
  const random = new Random(7);
  const turns = new Turns(VICTIMS, MOMENTS);
  const tried = new Map<string, number>();
  let shards = 3;
  for (let number = 0; number < 2 * VICTIMS.length * MOMENTS.length; number += 1) {
    const pair = turns.next(shards, random);
    const key = `${pair.victim} ${pair.moment}`;
    tried.set(key, (tried.get(key) ?? 0) + 1);
    shards = courseFor(pair, shards, random).to;
  }
  assert.equal(tried.size, VICTIMS.length * MOMENTS.length);
  assert.ok(Math.max(...tried.values()) <= 3, 'none much more often than others');
});

it('draws the same for the same seed', () => {
  const draw = () => {
    const random = new Random(3);
    const turns = new Turns(VICTIMS, MOMENTS);
    return Array.from({ length: 20 }, () => {
      const pair = turns.next(3, random);
      return { pair, course: courseFor(pair, 3, random) };
    });
  };
  assert.deepEqual(draw(), draw());
});

it('goes where the moment can happen, and has a person act where it needs one', () => {
  const random = new Random(1);
  for (let number = 0; number < 50; number += 1) {
    const course = (moment: (typeof MOMENTS)[number], shards: number) =>
      courseFor({ victim: 'source', moment }, shards, random);
    assert.ok(course('step:made', 3).to > 3);
    assert.ok(course('step:retired', 3).to < 3);
    assert.equal(course('step:retired', 3).act, null);
    assert.equal(course('step:cancelled', 3).act?.kind, 'cancel');
    assert.equal(course('step:resumed', 3).act?.kind, 'pause');
  }
});

it('goes anywhere else when the only moment asked for cannot happen yet', () => {
  const random = new Random(1);
  const turns = new Turns(['control'], ['step:made']);
  const pair = turns.next(MOST_SHARDS, random);
  const { to } = courseFor(pair, MOST_SHARDS, random);
  assert.ok(to < MOST_SHARDS && to >= LEAST_SHARDS);
});
