/** Each check accepts a good history and names what is wrong with a bad one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Action, Final, Operation, Outcome } from '../history.ts';
import { readOperations } from '../history.ts';
import { checkHistory, checkKept } from './check.ts';
import { excuseFor } from './excuse.ts';

let ids = 0;
const nextId = (): string => {
  ids += 1;
  return `o${ids}`;
};
const op = (
  action: Action,
  at: readonly [number, number],
  outcome: Outcome = 'ok',
  result: Operation['result'] = 'OK',
) =>
  ({
    ...action,
    ...{ id: nextId(), database: 'd', outcome, error: null, result },
    ...{ beganMs: at[0], endedMs: outcome === 'unknown' ? Number.POSITIVE_INFINITY : at[1] },
  }) as Operation;
const set = (value: string, at: [number, number], outcome?: Outcome) =>
  op({ kind: 'set', key: 'k', value }, at, outcome);
const del = (at: [number, number], outcome?: Outcome) => op({ kind: 'del', key: 'k' }, at, outcome, 1);
const get = (value: string | null, at: [number, number]) => op({ kind: 'get', key: 'k' }, at, 'ok', value);
const incr = (result: number, at: [number, number], outcome?: Outcome) =>
  op({ kind: 'incr', key: 'k' }, at, outcome, result);
const push = (value: string, at: [number, number], outcome?: Outcome) =>
  op({ kind: 'push', key: 'k', value }, at, outcome, 1);

const kinds = (operations: Operation[], final: Final): string[] =>
  checkHistory('d', operations, new Map([['k', final]]), 1_000).map(({ kind }) => kind);

describe('registers', () => {
  const good: [string, Operation[], Final][] = [
    ['the last value', [set('a', [0, 1]), set('b', [2, 3])], 'b'],
    ['of two that overlap either', [set('a', [0, 3]), set('b', [1, 2])], 'a'],
    ['a deleted value is gone', [set('a', [0, 1]), del([2, 3])], null],
    ['an unknown deletion may have come last', [set('a', [0, 1]), del([2, 3], 'unknown'), set('b', [4, 5])], null],
    ['an unknown write may come late', [set('a', [0, 1], 'unknown'), set('b', [2, 3]), get('a', [4, 5])], 'a'],
    ['an unknown write may not come at all', [set('a', [0, 1]), set('b', [2, 3], 'unknown')], 'a'],
    [
      'a read beside a write sees either',
      [set('a', [0, 1]), set('b', [2, 6]), get('a', [3, 4]), get('b', [3, 4])],
      'b',
    ],
    ['a failed write leaves what was', [set('a', [0, 1]), set('b', [2, 3], 'failed')], 'a'],
    ['a read before anything', [get(null, [0, 1]), set('a', [2, 3])], 'a'],
  ];
  for (const [what, operations, final] of good)
    it(`accepts: ${what}`, () => assert.deepEqual(kinds(operations, final), []));

  const bad: [string, Operation[], Final, string[]][] = [
    ['an acknowledged write is gone', [set('a', [0, 1])], null, ['lost']],
    ['an old value is back', [set('a', [0, 1]), set('b', [2, 3])], 'a', ['lost', 'resurrected']],
    ['a deleted value is back', [set('a', [0, 1]), del([2, 3])], 'a', ['lost', 'resurrected']],
    ['it was set again after a deletion', [set('a', [0, 1]), del([2, 3]), set('b', [4, 5])], null, ['lost']],
    ['a read sees an old value', [set('a', [0, 1]), set('b', [2, 3]), get('a', [4, 5])], 'b', ['stale']],
    ['a read sees nothing yet', [set('a', [0, 1]), get(null, [2, 3])], 'a', ['stale']],
    ['a failed write is there', [set('a', [0, 1], 'failed')], 'a', ['failed-applied']],
    [
      'a failed write is read',
      [set('a', [0, 1], 'failed'), get('a', [2, 3]), set('b', [4, 5])],
      'b',
      ['failed-applied'],
    ],
    ['a value of nobody', [set('a', [0, 1])], 'x', ['invented']],
    ['a value before it was written', [get('a', [0, 1]), set('a', [2, 3])], 'a', ['invented']],
  ];
  for (const [what, operations, final, said] of bad)
    it(`notices: ${what}`, () => assert.deepEqual(kinds(operations, final), said));

  it('names every write whose effect is missing', () => {
    const [a, b, c] = [set('a', [0, 1]), set('b', [2, 3]), set('c', [4, 5])];
    const [lost] = checkHistory('d', [a, b, c], new Map([['k', 'a']]), 1_000);
    assert.deepEqual(lost!.missing, [b, c]);
  });
});

describe('counters', () => {
  it('accepts what adds up, with unknown ones counted or not', () => {
    assert.deepEqual(kinds([incr(1, [0, 1]), incr(2, [2, 3])], '2'), []);
    assert.deepEqual(kinds([incr(1, [0, 1]), incr(0, [2, 3], 'unknown')], '1'), []);
    assert.deepEqual(kinds([incr(1, [0, 1]), incr(0, [2, 3], 'unknown')], '2'), []);
    assert.deepEqual(kinds([incr(2, [0, 5]), incr(1, [0, 5])], '2'), []);
    assert.deepEqual(kinds([incr(0, [0, 1], 'failed')], null), []);
  });
  const bad: [string, Operation[], Final, string[]][] = [
    ['one too few', [incr(1, [0, 1]), incr(2, [2, 3])], '1', ['lost']],
    ['none at all', [incr(1, [0, 1])], null, ['lost']],
    ['one too many', [incr(1, [0, 1])], '2', ['twice']],
    ['one too many before it ended', [incr(1, [0, 1]), incr(3, [2, 3]), incr(0, [4, 5], 'unknown')], '3', ['twice']],
    ['a failed one counted', [incr(1, [0, 1]), incr(0, [2, 3], 'failed')], '2', ['failed-applied']],
    ['a later answer that forgot one', [incr(1, [0, 1]), incr(1, [2, 3]), incr(2, [4, 5], 'unknown')], '2', ['lost']],
    ['two with one answer', [incr(1, [0, 5]), incr(1, [1, 4]), incr(0, [6, 7], 'unknown')], '2', ['lost']],
  ];
  for (const [what, operations, final, said] of bad)
    it(`notices: ${what}`, () => assert.deepEqual(kinds(operations, final), said));
});

describe('lists', () => {
  it('accepts every item once, unknown ones or not', () => {
    assert.deepEqual(kinds([push('a', [0, 1]), push('b', [2, 3]), push('c', [4, 5], 'unknown')], ['a', 'b']), []);
    assert.deepEqual(kinds([push('a', [0, 1]), push('b', [0, 5]), push('c', [2, 3], 'unknown')], ['b', 'a', 'c']), []);
  });
  const bad: [string, Operation[], string[] | null, string[]][] = [
    ['an item is missing', [push('a', [0, 1]), push('b', [2, 3])], ['a'], ['lost']],
    ['the list is gone', [push('a', [0, 1])], null, ['lost']],
    ['an item is there twice', [push('a', [0, 1])], ['a', 'a'], ['twice']],
    ['a failed item is there', [push('a', [0, 1], 'failed')], ['a'], ['failed-applied']],
    ['an item of nobody', [push('a', [0, 1])], ['a', 'x'], ['invented']],
    ['items changed places', [push('a', [0, 1]), push('b', [2, 3])], ['b', 'a'], ['out-of-order']],
  ];
  for (const [what, operations, final, said] of bad)
    it(`notices: ${what}`, () => assert.deepEqual(kinds(operations, final), said));
});

it('asks for every final value', () => {
  assert.throws(() => checkHistory('d', [set('a', [0, 1])], new Map(), 9), /not read/);
  assert.throws(() => checkKept('d', new Map([['k', 'a']]), new Map(), new Set()), /not read again/);
});

it('notices that a key of an earlier round has changed', () => {
  const before = new Map<string, Final>([
    ['k', 'a'],
    ['l', ['x']],
  ]);
  const say = (now: [string, Final][], uncertain: string[] = []): string[] =>
    checkKept('d', before, new Map(now), new Set(uncertain)).map(({ kind, key }) => `${kind} ${key}`);
  assert.deepEqual(
    say([
      ['k', 'a'],
      ['l', ['x']],
    ]),
    [],
  );
  assert.deepEqual(
    say([
      ['k', null],
      ['l', []],
    ]),
    ['lost k', 'resurrected l'],
  );
  assert.deepEqual(
    say(
      [
        ['k', null],
        ['l', ['x']],
      ],
      ['k'],
    ),
    [],
  );
});

describe('the window of asynchronous replication', () => {
  const fault = { what: 'kill', beganMs: 10_000, shards: ['d/1'] };
  const lost = (endedMs: number[], final: Final = null) =>
    checkHistory(
      'd',
      endedMs.map((at, index) => set(`v${index}`, [at - 1, at])),
      new Map([['k', final]]),
      60_000,
    )[0]!;
  it('excuses what was acknowledged near a fault of its shard', () => {
    assert.equal(excuseFor(lost([7_000, 13_000]), 'd/1', [fault]), fault);
  });
  it('puts it down to the nearest one', () => {
    const later = { ...fault, what: 'cut', beganMs: 12_000 };
    assert.equal(excuseFor(lost([11_500]), 'd/1', [fault, later]), later);
  });
  it('excuses nothing else', () => {
    assert.equal(excuseFor(lost([6_999]), 'd/1', [fault]), null);
    assert.equal(excuseFor(lost([9_000, 13_001]), 'd/1', [fault]), null, 'one of two is too late');
    assert.equal(excuseFor(lost([10_000]), 'd/2', [fault]), null, 'another shard');
    assert.equal(excuseFor(lost([10_000]), 'd/1', []), null);
    assert.equal(excuseFor({ ...lost([10_000]), kind: 'twice' }, 'd/1', [fault]), null, 'no loss');
    assert.equal(excuseFor({ ...lost([10_000]), missing: [] }, 'd/1', [fault]), null, 'nobody knows which');
  });
});

describe('a history as written', () => {
  const begin = '{"begin":"c.1","atMs":1,"database":"d","kind":"set","key":"k","value":"v"}';
  it('is read, with what has no end unknown', () => {
    const [whole] = readOperations([`${begin}\n{"end":"c.1","atMs":2,"outcome":"ok","result":"OK"}\n`]);
    assert.deepEqual([whole!.outcome, whole!.beganMs, whole!.endedMs, whole!.result], ['ok', 1, 2, 'OK']);
    for (const rest of ['', '\n{"end":"c.1","atM', '\n{"end":"c.1","atMs":2,"outcome":"unknown","error":"x"}']) {
      const [cut] = readOperations([begin + rest]);
      assert.deepEqual([cut!.outcome, cut!.endedMs], ['unknown', Number.POSITIVE_INFINITY], rest);
    }
  });
  it('is refused where an end has no beginning', () => {
    assert.throws(() => readOperations(['{"end":"c.1","atMs":2,"outcome":"ok"}']), /never began/);
  });
});
