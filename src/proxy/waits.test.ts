import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Waits } from './waits.ts';

it('tells the longest wait for each node, and forgets it after a while', () => {
  const waits = new Waits();
  assert.equal(waits.longest(1, 0), 0);
  waits.ended(1, 40, 1_000);
  waits.ended(1, 90, 1_010);
  waits.ended(1, 20, 1_020);
  waits.ended(2, 5, 1_030);
  assert.equal(waits.longest(1, 2_000), 90);
  assert.equal(waits.longest(2, 2_000), 5);
  assert.equal(waits.longest(1, 20_000), 0);
  waits.ended(1, 7, 20_000);
  assert.equal(waits.longest(1, 20_000), 7);
});
