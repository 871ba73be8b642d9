import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keySlot } from '../../domain/key-slot.ts';
import { slotOfPattern } from './everywhere.ts';

it('knows when all keys that a pattern matches are in one slot', () => {
  const slots = (...patterns: string[]): number[] => patterns.map((pattern) => slotOfPattern(Buffer.from(pattern)));
  assert.deepEqual(slots('*', 'a*', 'a?{b}', '[ab]{c}', 'a\\{b}', '{a*}', '{}{a}*'), [-1, -1, -1, -1, -1, -1, -1]);
  assert.deepEqual(slots('{a}*', 'x{a}[bc]', '{a}{b}*'), [keySlot('a'), keySlot('a'), keySlot('a')]);
  assert.deepEqual(slots('key', 'a{b', '{}a'), [keySlot('key'), keySlot('a{b'), keySlot('{}a')]);
});
