import assert from 'node:assert/strict';
import { it } from 'node:test';
import { quietIntervalMs } from './quiet-interval.ts';

it('leaves a small fleet alone for a second, a large one for longer, and none for more than five', () => {
  assert.deepEqual(
    [0, 6, 50, 51, 100, 250, 5_000].map(quietIntervalMs),
    [1_000, 1_000, 1_000, 1_020, 2_000, 5_000, 5_000],
  );
});
