/** How many slots make a job. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { SlotRange } from '../../domain/slots.ts';
import type { JobSize, SlotMove } from '../../plan/step.ts';
import type { SlotStats } from '../../valkey/slot-stats.ts';
import { nextJobs, quietJobs } from './slots.ts';

const NO_RATES = new Map<number, number>();
const slotsWith = (keys: readonly number[]): Map<number, SlotStats> =>
  new Map(keys.map((count, slot) => [slot, { keys: count, cpuUsec: 0, bytesIn: 0, bytesOut: 0 }]));
const firstJob = (
  slots: readonly SlotRange[],
  stats: ReadonlyMap<number, SlotStats>,
  rates: ReadonlyMap<number, number>,
  size: JobSize,
) => nextJobs([move('a', slots)], stats, rates, size, 1).jobs[0]?.slots;
const move = (to: string, slots: readonly SlotRange[], inARow = 9): SlotMove => ({ to, slots, inARow });
const most = (keys: number, bytesPerSecond = Number.POSITIVE_INFINITY) => ({ keys, bytesPerSecond });

it('takes slots from the first on, as long as their keys are no more than a job may have', () => {
  const stats = slotsWith([10, 0, 20, 30, 5]);
  assert.deepEqual(firstJob([[0, 4]], stats, NO_RATES, most(30)), [[0, 2]]);
  assert.deepEqual(firstJob([[0, 4]], stats, NO_RATES, most(1_000)), [[0, 4]]);
  assert.deepEqual(firstJob([[2, 4]], stats, NO_RATES, most(1)), [[2, 2]], 'one slot at least');
});

it('takes fewer where more is written than a source can send', () => {
  const stats = slotsWith([1, 1, 1, 1]);
  const rates = new Map([
    [0, 300],
    [1, 600],
    [2, 200],
  ]);
  assert.deepEqual(firstJob([[0, 3]], stats, rates, most(1_000, 1_000)), [[0, 1]]);
  assert.deepEqual(firstJob([[1, 3]], stats, rates, most(1_000, 1_000)), [[1, 3]]);
  assert.deepEqual(firstJob([[0, 3]], stats, rates, most(1_000, 100)), [[0, 0]]);
});

it('leaves out slots that are not the source’s any more', () => {
  const stats = slotsWith([1, 1, 1, 1]);
  stats.delete(1);
  assert.deepEqual(firstJob([[0, 3]], stats, NO_RATES, most(1_000)), [
    [0, 0],
    [2, 3],
  ]);
  assert.deepEqual(nextJobs([move('a', [[1, 1]])], stats, NO_RATES, most(1_000), 3), { jobs: [], left: [] });
});

it('makes several at once, for one target after the other, and tells what is left', () => {
  const stats = slotsWith([10, 10, 10, 10, 10]);
  stats.delete(3);
  const both = [move('a', [[0, 1]]), move('b', [[2, 4]])];
  assert.deepEqual(nextJobs(both, stats, NO_RATES, most(20), 1), {
    jobs: [{ to: 'a', slots: [[0, 1]] }],
    left: [
      move('b', [
        [2, 2],
        [4, 4],
      ]),
    ],
  });
  assert.deepEqual(nextJobs(both, stats, NO_RATES, most(10), 3), {
    jobs: [
      { to: 'a', slots: [[0, 0]] },
      { to: 'a', slots: [[1, 1]] },
      { to: 'b', slots: [[2, 2]] },
    ],
    left: [move('b', [[4, 4]], 8)],
  });
  const all = nextJobs(both, stats, NO_RATES, most(20), 5);
  assert.deepEqual([all.jobs.length, all.left], [2, []]);
});

it('gives a target no more than it has room for', () => {
  const stats = slotsWith([10, 10, 10]);
  const { jobs, left } = nextJobs([move('a', [[0, 1]], 1), move('b', [[2, 2]])], stats, NO_RATES, most(10), 3);
  assert.deepEqual(jobs, [
    { to: 'a', slots: [[0, 0]] },
    { to: 'b', slots: [[2, 2]] },
  ]);
  assert.deepEqual(left, [], 'what there is no room for is weighed again at a look');
});

it('makes jobs alike, and no more of them than their size asks for', () => {
  const stats = slotsWith([10, 10, 10, 10, 10, 10, 10]);
  const { jobs } = nextJobs([move('a', [[0, 6]])], stats, NO_RATES, most(60), 3);
  assert.deepEqual(
    jobs.map(({ slots }) => slots),
    [[[0, 3]], [[4, 6]]],
    'of 40 and 30 keys, not of 60 and 10',
  );
});

it('gives larger jobs where nobody would notice, and its targets have room for these', () => {
  const gentle = { most: most(10), atOnce: 1 };
  const fast = { most: most(40), atOnce: 3 };
  const moves = [move('a', [[0, 1]], 9), move('b', [[2, 3]], 3)];
  assert.deepEqual(quietJobs({ ...gentle, ifQuiet: fast, moves }), {
    ...{ ...fast, ifQuiet: fast },
    moves: [move('a', [[0, 1]], 2)],
  });
  const narrow = { ...gentle, ifQuiet: fast, moves: [move('b', [[2, 3]], 3)] };
  assert.deepEqual(quietJobs(narrow), narrow);
  const asked = { ...fast, ifQuiet: null, moves };
  assert.deepEqual(quietJobs(asked), asked);
});
