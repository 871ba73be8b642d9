import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keySlot } from '../../src/domain/key-slot.ts';
import { tagsOf } from './tags.ts';

it('tags lie in the slots of their shard', () => {
  const tags = tagsOf(
    [
      [[0, 99]],
      [
        [100, 8_000],
        [9_000, 16_383],
      ],
    ],
    3,
  );
  const [first, second] = tags.map((ones) => ones.map(keySlot));
  assert.equal(new Set(tags.flat()).size, 6);
  assert.ok(first!.every((slot) => slot <= 99));
  assert.ok(second!.every((slot) => slot >= 100 && (slot <= 8_000 || slot >= 9_000)));
  assert.throws(() => tagsOf([[]], 1), /no 1 tags/);
});
