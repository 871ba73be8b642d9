import assert from 'node:assert/strict';
import { it } from 'node:test';
import { UNANSWERED } from '../faults/history.ts';
import { addedIn, errorsIn, type History, waitsIn } from './history.ts';

const HISTORY: History = {
  operations: [
    ['read', 0, 900, 'ok'], // answered before
    ['write', 990, 1_090, 'ok'], // under way when it begins
    ['read', 1_500, 1_502, 'ok'],
    ['new', 1_600, 1_604, 'ok'],
    ['new', 1_990, 2_040, UNANSWERED], // under way when it ends
    ['new', 2_001, 2_900, 'MOVED'], // due afterwards
  ],
  late: [
    [900, 400],
    [1_010, 30],
    [1_700, 12],
    [2_060, 55],
  ],
  sentAgain: 0,
};

it('waits are those of operations that were under way, each from when it was due', () => {
  const { operations, longestMs, p50Ms, ownMs } = waitsIn(HISTORY, 1_000, 2_000);
  assert.deepEqual([operations, longestMs, p50Ms], [4, 100, 27]);
  assert.equal(ownMs, 30);
  assert.deepEqual(waitsIn(HISTORY, 3_000, 4_000), { operations: 0, p50Ms: 0, p99Ms: 0, longestMs: 0, ownMs: 0 });
});

it('tells errors by kind, and which new keys are there for certain', () => {
  assert.deepEqual(errorsIn(HISTORY), { [UNANSWERED]: 1, MOVED: 1 });
  assert.deepEqual(addedIn(HISTORY), { added: 1, unsure: 2 });
});
