import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { keySlot } from '../domain/key-slot.ts';
import { slotOf } from './hash-slot.ts';

it('finds the slot that the domain finds, wherever the key lies', () => {
  const letters = fc.constantFrom('{', '}', 'a', 'b', 'ü', '0', ':', '\n');
  const keys = fc.string({ unit: letters, maxLength: 40 });
  fc.assert(
    fc.property(keys, fc.nat(9), (key, before) => {
      const bytes = Buffer.from(`${'{'.repeat(before)}${key}}`);
      const end = bytes.length - 1;
      assert.equal(slotOf(bytes, before, end), keySlot(key), JSON.stringify(key));
    }),
    { numRuns: 2_000 },
  );
});
