import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missingAtMostMs, type WrittenMark, withMark } from './written.ts';

const mark = (at: number, offset: number, history = 'h'): WrittenMark => ({ at, history, offset });

describe('what a copy may lack of its primary', () => {
  const marks = [mark(1_000, 10), mark(1_500, 20), mark(2_000, 30)];

  it('is what was written after the latest mark that it has', () => {
    assert.equal(missingAtMostMs(marks, mark(0, 30), 2_100), 100);
    assert.equal(missingAtMostMs(marks, mark(0, 29), 2_100), 600);
    assert.equal(missingAtMostMs(marks, mark(0, 10), 2_100), 1_100);
  });

  it('is not known of one that has none of the marks, or another history', () => {
    assert.equal(missingAtMostMs(marks, mark(0, 9), 2_100), null);
    assert.equal(missingAtMostMs(marks, mark(0, 30, 'other'), 2_100), null);
    assert.equal(missingAtMostMs([], mark(0, 30), 2_100), null);
  });

  it('is known from a bounded number of marks', () => {
    let kept: WrittenMark[] = [];
    for (let at = 0; at < 100; at += 1) kept = withMark(kept, mark(at, at));
    assert.equal(kept.length, 20);
    assert.equal(kept.at(-1)!.at, 99);
    assert.equal(kept[0]!.at, 80);
  });
});
