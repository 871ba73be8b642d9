import assert from 'node:assert/strict';
import { it } from 'node:test';
import { addUp } from './latency.ts';

it('adds up calls that were counted at different steps', () => {
  const one = {
    calls: 3,
    steps: [
      [1, 1],
      [4, 3],
    ] as [number, number][],
  };
  const other = {
    calls: 6,
    steps: [
      [2, 5],
      [8, 6],
    ] as [number, number][],
  };
  assert.deepEqual(addUp([one, other]), {
    calls: 9,
    steps: [
      [1, 1],
      [2, 6],
      [4, 8],
      [8, 9],
    ],
  });
  assert.deepEqual(addUp([one]), one);
});
