import assert from 'node:assert/strict';
import { it } from 'node:test';
import { percentile, spread, summarize } from './stats.ts';

it('takes the middle value, or the middle between two', () => {
  assert.deepEqual(summarize([30, 10, 20]), { count: 3, median: 20, min: 10, max: 30 });
  assert.equal(summarize([4, 1, 3, 2]).median, 2.5);
});

it('finds percentiles between neighbours', () => {
  const values = Array.from({ length: 101 }, (_, index) => index);
  assert.equal(percentile(values, 99), 99);
  assert.equal(percentile([0, 10], 99), 9.9);
  assert.equal(percentile([7], 50), 7);
});

it('refuses to summarize nothing', () => assert.throws(() => summarize([]), RangeError));

it('writes figures for people', () => {
  assert.equal(spread({ count: 3, median: 1234.5, min: 0.25, max: 99.96 }), '1,235 ms (0.3 ms to 100 ms)');
});
