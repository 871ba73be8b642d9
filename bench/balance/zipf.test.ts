/** The law behind the load. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Random } from '../../test/sim/random.ts';
import { zipf } from './zipf.ts';

it('draws each number in proportion to its rank', () => {
  const draw = zipf(1_000, 1.1, new Random(7));
  const counts = new Float64Array(1_000);
  const draws = 200_000;
  for (let at = 0; at < draws; at += 1) counts[draw()]! += 1;
  const total = Array.from({ length: 1_000 }, (_, at) => 1 / (at + 1) ** 1.1).reduce((sum, one) => sum + one, 0);
  for (const number of [0, 1, 9, 99]) {
    const expected = draws / (number + 1) ** 1.1 / total;
    assert.ok(Math.abs(counts[number]! - expected) < 5 * Math.sqrt(expected) + 1, `${number}: ${counts[number]}`);
  }
});
