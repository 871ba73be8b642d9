/** Bytes a second by slot, from counters that only grow. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SlotRates } from './slot-rates.ts';

const stats = (bytesIn: Record<number, number>) =>
  new Map(
    Object.entries(bytesIn).map(([slot, bytes]) => [
      Number(slot),
      { keys: 0, cpuUsec: 0, bytesIn: bytes, bytesOut: 0 },
    ]),
  );

it('tells what grew since the look before', () => {
  const rates = new SlotRates();
  assert.equal(rates.note('a', stats({ 1: 1_000, 2: 50 }), 0).size, 0, 'nothing to compare with');
  assert.deepEqual([...rates.note('a', stats({ 1: 3_000, 2: 50, 3: 900 }), 500)], [[1, 4_000]]);
  assert.deepEqual([...rates.note('a', stats({ 1: 3_000, 3: 1_000 }), 1_500)], [[3, 100]]);
});

it('compares no looks that are too near or too far, nor those of two nodes, nor a counter that began anew', () => {
  const rates = new SlotRates();
  rates.note('a', stats({ 1: 0 }), 0);
  assert.equal(rates.note('b', stats({ 1: 500 }), 200).size, 0);
  assert.equal(rates.note('a', stats({ 1: 500 }), 50).size, 0);
  assert.deepEqual([...rates.note('a', stats({ 1: 500 }), 1_000)], [[1, 500]], 'the near look did not count');
  assert.equal(rates.note('a', stats({ 1: 600 }), 100_000).size, 0);
  assert.equal(rates.note('a', stats({ 1: 10 }), 101_000).size, 0);
  rates.forget(['a']);
  assert.equal(rates.note('a', stats({ 1: 1_000 }), 102_000).size, 0);
});
