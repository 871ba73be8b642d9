import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DEFAULT_SPEC } from '../domain/spec.ts';
import type { ReshardStatus } from '../domain/status.ts';
import { describeReshard } from './describe-reshard.ts';

it('says how far slots are on their way, and what their writers are paced to', () => {
  const job = { from: 'shard-1', to: 'shard-4', slots: 120, phase: 'waiting-to-pause', remainingBytes: 1 };
  const reshard: ReshardStatus = {
    ...{
      state: 'moving',
      cancels: false,
      since: '',
      from: 3,
      slots: 4_000,
      left: 1_000,
      slotsPerSecond: 99.6,
      secondsLeft: 11,
    },
    estimate: {
      slots: 4_000,
      keys: 0,
      bytes: 0,
      jobs: 1,
      largestSlotKeys: 0,
      seconds: 1,
      peakBytes: 0,
      longestWaitMs: 0,
      pace: 'fast',
    },
    job: { ...job, paced: 1024 ** 2 },
  };
  const said = (one: ReshardStatus): string =>
    describeReshard({ name: 'main', spec: { ...DEFAULT_SPEC, shards: 4 }, reshard: one });
  const way = 'main to 4 shards: moving, 75 % of 4000 slots are there, 100 slots a second, 11 s left';
  const now = 'now 120 slots from shard-1 to shard-4 (waiting-to-pause)';
  assert.equal(said(reshard), `${way}, ${now}, writers paced to 1mb/s`);
  assert.equal(said({ ...reshard, job: { ...job, paced: null } }), `${way}, ${now}`);
});
