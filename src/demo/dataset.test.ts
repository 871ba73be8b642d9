import assert from 'node:assert/strict';
import { it } from 'node:test';
import { splitEvenly } from '../domain/slots.ts';
import { forEachNumber, IN_FLIGHT, inSlots, KEY_COUNT, keyOf, numberIn, VALUE_BYTES, valueFor } from './dataset.ts';

const numbers = Array.from({ length: KEY_COUNT }, (_, number) => number);

it('has a key and a value of its own for each number', () => {
  assert.equal(new Set(numbers.map(keyOf)).size, KEY_COUNT);
  const values = new Set(numbers.map(valueFor));
  assert.equal(values.size, KEY_COUNT);
  assert.ok([...values].every((value) => Buffer.byteLength(value) === VALUE_BYTES));
});

it('finds a key of each shard', () => {
  for (const range of splitEvenly(4)) assert.ok(inSlots(keyOf(numberIn([range])), [range]));
  assert.throws(() => numberIn([]), RangeError);
});

it('does each number once, a bounded number at a time', async () => {
  const done: number[] = [];
  let running = 0;
  let most = 0;
  await forEachNumber(
    new AbortController().signal,
    async (number) => {
      most = Math.max(most, ++running);
      await null;
      running -= 1;
      done.push(number);
    },
    1000,
  );
  assert.deepEqual(
    done.sort((a, b) => a - b),
    numbers.slice(0, 1000),
  );
  assert.equal(most, IN_FLIGHT);
});

it('stops in between when told to', async () => {
  const stop = new AbortController();
  let done = 0;
  await forEachNumber(stop.signal, async () => {
    done += 1;
    stop.abort();
  });
  assert.ok(done <= IN_FLIGHT);
});
