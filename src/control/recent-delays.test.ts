import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentDelays } from './recent-delays.ts';

test('what the engine counted within the last minute', () => {
  const delays = new RecentDelays();
  assert.equal(delays.note('a', 7, 0), 0, 'what was before the first look is not known to be lately');
  assert.equal(delays.note('a', 9, 1_000), 2);
  assert.equal(delays.note('a', 10, 30_000), 3);
  assert.equal(delays.note('b', 10, 30_000), 0);
  assert.equal(delays.note('a', 10, 61_001), 1);
  assert.equal(delays.note('a', 2, 62_000), 1, 'another process counts from nothing');
  assert.equal(delays.note('a', 2, 200_000), 0);
});
