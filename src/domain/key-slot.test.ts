import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keyInSlots, keySlot } from './key-slot.ts';

// Answers of CLUSTER KEYSLOT (Valkey 9.1.2).
const KNOWN: [key: string, slot: number][] = [
  ['', 0],
  ['123456789', 12739],
  ['foo', 12182],
  ['{foo}bar', 12182],
  ['a{foo}', 12182],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['foo{bar}{zap}', 5061],
  ['ключ', 10303],
];

it('puts keys where the engine puts them', () => {
  for (const [key, slot] of KNOWN) assert.equal(keySlot(key), slot, key);
});

it('finds a key for a single slot, and says when there can be none', () => {
  assert.equal(keySlot(keyInSlots('probe', [[16383, 16383]])), 16383);
  assert.throws(() => keyInSlots('probe', []), RangeError);
});
