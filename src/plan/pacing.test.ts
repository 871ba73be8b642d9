/** When writers to slots on their way are paced, and how far: judged from look to look. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SlotMigration } from '../domain/reshard.ts';
import { type JobPacing, nextPacing } from './pacing.ts';

const MB = 1024 ** 2;
const LEAST = 256 * 1024;

const jobWith = (facts: Partial<SlotMigration>): SlotMigration => ({
  ...{ name: 'job', side: 'export', slots: [[0, 99]], source: 'a', target: 'b', state: 'active' },
  ...{ phase: 'waiting-to-pause', message: '', createdAt: 0, updatedAt: 0, remainingBytes: 0 },
  ...facts,
});

/** The paces after looks a second after the other, with so much left at each. */
function pacesOf(left: readonly number[], received = 64 * MB): (number | null)[] {
  let pacing: JobPacing | null = null;
  return left.map((remainingBytes, second) => {
    pacing = nextPacing(pacing, jobWith({ remainingBytes }), received, second * 1_000);
    return pacing?.bytesPerSecond ?? null;
  });
}

describe('the pace of writers to slots on their way', () => {
  it('is half of what the source receives when the rest does not shrink, and half of that each further second', () => {
    assert.deepEqual(pacesOf([10 * MB, 20 * MB, 21 * MB, 21 * MB]), [null, 32 * MB, 16 * MB, 8 * MB]);
  });

  it('is none while the rest shrinks so that it is soon gone, and stays where it is when it does so by it', () => {
    assert.deepEqual(pacesOf([100 * MB, 60 * MB, 20 * MB]), [null, null, null]);
    assert.deepEqual(pacesOf([100 * MB, 200 * MB, 140 * MB, 90 * MB]), [null, 32 * MB, 32 * MB, 32 * MB]);
    assert.deepEqual(pacesOf([100 * MB, 90 * MB]), [null, 32 * MB], 'it would take nine seconds more');
  });

  it('goes down where little is left of what comes all the time, and the job waits for a gap', () => {
    assert.deepEqual(pacesOf([40 * MB, 0, 0]), [null, 32 * MB, 16 * MB]);
    assert.deepEqual(pacesOf([500_000, 400_000]), [null, 32 * MB]);
  });

  it('is never below what harms no job', () => {
    assert.equal(pacesOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((count) => count * MB)).at(-1), LEAST);
    assert.deepEqual(pacesOf([MB, 2 * MB], 1_000), [null, LEAST]);
  });

  it('is not judged within less than a second, however often is looked', () => {
    const first = nextPacing(null, jobWith({ remainingBytes: MB }), MB, 5_000);
    assert.equal(nextPacing(first, jobWith({ remainingBytes: 9 * MB }), MB, 5_900), first);
  });

  it('is for one job, from the end of its snapshot to its own end', () => {
    const paced: JobPacing = { job: 'job', since: 0, leftBytes: MB, bytesPerSecond: 4 * MB };
    for (const phase of ['connecting', 'waiting-to-snapshot', 'snapshotting', 'a new word of the engine'])
      assert.equal(nextPacing(null, jobWith({ phase, remainingBytes: 99 * MB }), MB, 5_000), null);
    for (const phase of ['failover-paused', 'failover-granted'])
      assert.equal(nextPacing(paced, jobWith({ phase }), MB, 5_000), paced, 'its writers wait at the source');
    assert.equal(
      nextPacing(paced, jobWith({ side: 'import', phase: 'any' }), MB, 5_000),
      paced,
      'the source is silent',
    );
    assert.equal(nextPacing(paced, null, MB, 5_000), null);
    const next = nextPacing(paced, jobWith({ name: 'next' }), MB, 5_000);
    assert.deepEqual([next?.job, next?.bytesPerSecond], ['next', null]);
  });

  it('never rises within a job, and lets one end wherever its source sends more than the least', () => {
    const rate = fc.integer({ min: 10_000, max: 2_000 * MB });
    const looks = fc.array(fc.integer({ min: 20, max: 400 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(rate, fc.integer({ min: 2 * LEAST, max: 1_000 * MB }), rate, looks, (written, sent, left, pauses) => {
        const seconds = outcome({ written, sent, left, pauses });
        // The halvings there can be, what has gathered meanwhile, and a second to see it.
        assert.ok(seconds < 120 + (4 * (left + 2 * written)) / sent, `${seconds} s`);
      }),
    );
  });
});

interface Course {
  written: number;
  sent: number;
  left: number;
  pauses: readonly number[];
}

/** A job under even writes: it is over when nothing is left. @returns the seconds that it took */
function outcome({ written, sent, left, pauses }: Course): number {
  let pacing: JobPacing | null = null;
  let remainingBytes = left;
  let now = 0;
  for (let look = 0; remainingBytes > 0; look += 1) {
    const before: number = pacing?.bytesPerSecond ?? Number.POSITIVE_INFINITY;
    pacing = nextPacing(pacing, jobWith({ remainingBytes }), Math.min(written, before), now);
    const pace: number = pacing?.bytesPerSecond ?? Number.POSITIVE_INFINITY;
    assert.ok(pace <= before && pace >= LEAST);
    const ms = pauses[look % pauses.length]!;
    now += ms;
    remainingBytes = Math.max(0, remainingBytes + ((Math.min(written, pace) - sent) * ms) / 1_000);
    assert.ok(now < 1e8, 'it does not end');
  }
  return now / 1_000;
}
