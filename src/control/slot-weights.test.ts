/** Bytes by slot from a few keys of each. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { bytesBySlot } from './slot-weights.ts';

it('makes together what the shard has, in proportion to the sample', () => {
  const found = bytesBySlot(
    new Map([
      [1, 10],
      [2, 10],
      [3, 20],
    ]),
    new Map([
      [1, 1_000],
      [2, 3_000],
    ]),
    16_000,
  );
  // Without a sample, slot 3 has keys of mean size: 200 bytes.
  assert.deepEqual(
    [...found],
    [
      [1, 2_000],
      [2, 6_000],
      [3, 8_000],
    ],
  );
});

it('adds up to the data whatever the sample says, and is never below zero', () => {
  const counts = fc.array(fc.tuple(fc.nat(1_000), fc.option(fc.integer({ min: 1, max: 1e9 }))), { minLength: 1 });
  fc.assert(
    fc.property(counts, fc.nat(1e12), (slots, dataBytes) => {
      const keys = new Map(slots.map(([count], slot) => [slot, count]));
      const sampled = new Map(
        slots.flatMap(([count, bytes], slot) => (count > 0 && bytes ? [[slot, bytes] as const] : [])),
      );
      const found = [...bytesBySlot(keys, sampled, dataBytes).values()];
      assert.ok(found.every((bytes) => bytes >= 0 && Number.isFinite(bytes)));
      const sum = found.reduce((total, bytes) => total + bytes, 0);
      const expected = [...keys.values()].some((count) => count > 0) ? dataBytes : 0;
      assert.ok(Math.abs(sum - expected) <= expected * 1e-9);
    }),
  );
});
