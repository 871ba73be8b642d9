/** What is said of a change of owners before it begins. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { SlotRange } from '../domain/slots.ts';
import { SLOT_COUNT } from '../domain/slots.ts';
import { estimateOf, JOB_SECONDS, measuredJobSeconds } from './reshard-estimate.ts';

const HALF = SLOT_COUNT / 2;
const owners = new Map<string, SlotRange[]>([
  ['shard-1', [[0, HALF - 1]]],
  ['shard-2', [[HALF, SLOT_COUNT - 1]]],
]);
const each = (value: number) => new Float64Array(SLOT_COUNT).fill(value);
const same = { owners, keys: each(10), bytes: each(1_000) };

it('counts what changes its owner, in jobs by keys or bytes, and what one shard has at most', () => {
  const goal = new Map<string, SlotRange[]>([
    ['shard-1', [[0, 4_999]]],
    ['shard-2', [[HALF, SLOT_COUNT - 1]]],
    ['shard-3', [[5_000, HALF - 1]]],
  ]);
  const found = estimateOf(goal, same, 'fast');
  assert.equal(found.slots, HALF - 5_000);
  assert.equal(found.keys, found.slots * 10);
  assert.equal(found.bytes, found.slots * 1_000);
  assert.equal(found.jobs, 1);
  assert.equal(found.peakBytes, HALF * 1_000, 'that of the shards that give or stay');
  assert.equal(estimateOf(goal, same, 'gentle').jobs, 2);
  assert.ok(estimateOf(goal, same, 'gentle').longestWaitMs < found.longestWaitMs);
  const heavy = estimateOf(goal, { ...same, bytes: each(1_000_000) }, 'fast');
  assert.ok(heavy.jobs > 10, `${heavy.jobs} jobs of 256 mb for ${heavy.bytes} bytes`);
});

it('expects a shard that takes to have what it had, too', () => {
  const goal = new Map<string, SlotRange[]>([['shard-1', [[0, SLOT_COUNT - 1]]]]);
  const found = estimateOf(goal, same, 'fast');
  assert.equal(found.peakBytes, SLOT_COUNT * 1_000);
  assert.ok(found.seconds > 1.4, 'the shard that leaves stays for a moment');
});

it('expects nothing where nothing moves', () => {
  const { slots, jobs, seconds, longestWaitMs } = estimateOf(owners, same, 'fast');
  assert.deepEqual({ slots, jobs, seconds, longestWaitMs }, { slots: 0, jobs: 0, seconds: 0, longestWaitMs: 0 });
});

it('learns from what a reshard took what its jobs cost', () => {
  const goal = new Map<string, SlotRange[]>([
    ['shard-1', [[0, 4_999]]],
    ['shard-2', [[HALF, SLOT_COUNT - 1]]],
    ['shard-3', [[5_000, HALF - 1]]],
  ]);
  const many = { owners, keys: each(100), bytes: each(1_000) };
  const expected = estimateOf(goal, many, 'gentle');
  const reshard = {
    ...{ goal: Object.fromEntries(goal), before: { shards: 2, goal: Object.fromEntries(owners) } },
    ...{ paused: false, cancels: false, startedAt: 0, retriesFrom: 0, estimate: expected },
  };
  const asExpected = measuredJobSeconds(reshard, expected.seconds)!;
  assert.ok(Math.abs(asExpected - JOB_SECONDS) < 0.01, `${asExpected}`);
  const slower = measuredJobSeconds(reshard, expected.seconds + 3)!;
  const next = estimateOf(goal, many, 'gentle', slower);
  assert.ok(Math.abs(next.seconds - expected.seconds - 3) < 0.2, `${next.seconds}`);
  assert.ok(measuredJobSeconds(reshard, 10_000)! <= 2, 'what hung is no cost of a job');
  assert.ok(measuredJobSeconds(reshard, 0)! > 0);
});
