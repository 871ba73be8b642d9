import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UNKNOWN } from '../faults/history.ts';
import { isRefusal, judgeCounter, judgeList, judgeValue, NOTHING, OK, Told } from './judge.ts';

const UNSURE = [UNKNOWN, 'connection lost', 'no answer', 'ECONNREFUSED', 'Too many Cluster redirections'];
const REFUSED = ['MOVED', 'CLUSTERDOWN', 'TRYAGAIN', 'ERR', 'OOM'];

it('knows which errors say that nothing was done', () => {
  assert.deepEqual([...UNSURE, ...REFUSED, OK].filter(isRefusal), REFUSED);
});

describe('a value that was written once', () => {
  it('is to be there when it was acknowledged, and may be when nobody knows', () => {
    assert.deepEqual(judgeValue(OK, 'a', 'a'), NOTHING);
    assert.deepEqual(judgeValue(OK, 'a', null), { ...NOTHING, lost: 1 });
    assert.deepEqual(judgeValue(OK, 'a', 'b'), { ...NOTHING, wrong: 1 });
    assert.deepEqual(judgeValue(UNKNOWN, 'a', 'a'), NOTHING);
    assert.deepEqual(judgeValue(UNKNOWN, 'a', null), NOTHING);
    assert.deepEqual(judgeValue(UNKNOWN, 'a', 'b'), { ...NOTHING, wrong: 1 });
  });

  it('is not to be there when it was refused', () => {
    assert.deepEqual(judgeValue('MOVED', 'a', null), NOTHING);
    assert.deepEqual(judgeValue('MOVED', 'a', 'a'), { ...NOTHING, wrong: 1 });
  });
});

describe('a list', () => {
  const pushed = new Map([
    ['a', OK],
    ['b', OK],
    ['c', UNKNOWN],
    ['d', 'CLUSTERDOWN'],
  ]);

  it('has every acknowledged item once, in whatever order, and others at most once', () => {
    assert.deepEqual(judgeList(pushed, ['b', 'a']), NOTHING);
    assert.deepEqual(judgeList(pushed, ['a', 'c', 'b']), NOTHING);
  });

  it('tells what is lost, what is there twice, and what is not to be there', () => {
    assert.deepEqual(judgeList(pushed, []), { ...NOTHING, lost: 2 });
    assert.deepEqual(judgeList(pushed, ['a', 'b', 'a', 'a', 'c', 'c']), { ...NOTHING, twice: 3 });
    assert.deepEqual(judgeList(pushed, ['a', 'b', 'd', 'x']), { ...NOTHING, wrong: 2 });
  });
});

describe('a counter', () => {
  it('is what was acknowledged, or more by what nobody knows of', () => {
    assert.deepEqual(judgeCounter([], 0, 0), NOTHING);
    assert.deepEqual(judgeCounter([2, 1, 3], 0, 3), NOTHING);
    assert.deepEqual(judgeCounter([1, 3], 1, 3), NOTHING);
    assert.deepEqual(judgeCounter([1, 2], 2, 3), NOTHING);
  });

  it('has lost what is above its value', () => {
    assert.deepEqual(judgeCounter([1, 2, 3], 0, 1), { ...NOTHING, lost: 2 });
    assert.deepEqual(judgeCounter([1, 2, 3], 5, 0), { ...NOTHING, lost: 3 });
  });

  it('has lost what was counted again, also when the value has grown since', () => {
    assert.deepEqual(judgeCounter([1, 2, 3, 2, 3, 4], 0, 4), { ...NOTHING, lost: 2 });
    assert.deepEqual(judgeCounter([1, 2, 3, 1, 2, 3, 4, 5, 6], 0, 6), { ...NOTHING, lost: 3 });
  });

  it('was incremented twice when it is more than can have been', () => {
    assert.deepEqual(judgeCounter([1, 3], 0, 3), { ...NOTHING, twice: 1 });
    assert.deepEqual(judgeCounter([1, 2], 1, 5), { ...NOTHING, twice: 2 });
  });

  it('may have lost some and doubled others: neither hides the other', () => {
    assert.deepEqual(judgeCounter([1, 2, 2, 4], 0, 4), { ...NOTHING, lost: 1, twice: 1 });
  });
});

it('tells of each key only what is new', () => {
  const told = new Told();
  assert.deepEqual(told.news('a', NOTHING), NOTHING);
  assert.deepEqual(told.news('a', { ...NOTHING, lost: 2 }), { ...NOTHING, lost: 2 });
  assert.deepEqual(told.news('a', { ...NOTHING, lost: 2, twice: 1 }), { ...NOTHING, twice: 1 });
  assert.deepEqual(told.news('a', NOTHING), NOTHING);
  assert.deepEqual(told.news('a', { ...NOTHING, lost: 3, twice: 1 }), { ...NOTHING, lost: 1 });
  assert.deepEqual(told.news('b', { ...NOTHING, wrong: 1 }), { ...NOTHING, wrong: 1 });
});
