import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Kept } from '../faults/output.ts';
import type { Waits } from './history.ts';
import { type Clients, type Failed, type Move, resultsOf, strayKeys } from './result.ts';
import type { SystemId } from './system.ts';
import { rebalanceTables } from './table.ts';
import { verdicts } from './verdict.ts';

const waits = (longestMs: number): Waits => ({ operations: 10, p50Ms: 1, p99Ms: 2, longestMs, ownMs: 0 });
const clients = (longestMs: number, more: Partial<Clients> = {}): Clients => ({
  ...{ moving: waits(longestMs), whole: waits(longestMs), errors: {}, sentAgain: 0 },
  ...{ readBack: { checked: 5, lost: 0 }, ...more },
});
const move = (slotsMs: number, of: Clients | null = null, after = 100): Move => ({
  ...{
    number: 1,
    from: 3,
    to: 4,
    slots: 4_096,
    slotsMs,
    beforeMs: 1,
    wholeMs: slotsMs + 2,
    usedBytes: 1,
    dataBytes: 1,
  },
  ...{ keys: { before: 100, added: 0, unsure: 0, after }, clients: of },
});
const kept = (row: string, system: SystemId, one: Move | Failed): Kept<Move | Failed> => ({ ...one, row, system });
const said = (...all: Kept<Move | Failed>[]): string[] =>
  verdicts(resultsOf(all)).map(({ what, measured, holds }) => `${what}: ${measured} ${holds}`);
const saidOf = (words: RegExp, ...all: Kept<Move | Failed>[]): string[] =>
  said(...all).filter((line) => words.test(line));

it('compares medians with those of atomic migration by valkey-cli', () => {
  const atomic = [1_000, 5_000, 900].map((ms) => kept('idle-3-4', 'atomic', move(ms)));
  const fast = [1_200, 1_300, 100].map((ms) => kept('idle-3-4', 'fast', move(ms)));
  const gentle = kept('idle-3-4', 'gentle', move(2_100));
  assert.deepEqual(saidOf(/slots, against/, ...atomic, ...fast, gentle), [
    '`fast`, idle, 3 -> 4 shards: time of the slots, against valkey-cli atomic: 1.20 x true',
    '`gentle`, idle, 3 -> 4 shards: time of the slots, against valkey-cli atomic: 2.10 x false',
  ]);
  assert.match(saidOf(/`fast`.*slots, against/, ...fast).join(), /not measured null$/);
});

it('compares the longest waits where there are clients', () => {
  const atomic = kept('load-4-3', 'atomic', move(1_000, clients(400)));
  const gentle = (longestMs: number) => kept('load-4-3', 'gentle', move(1_000, clients(longestMs)));
  assert.match(saidOf(/longest wait/, atomic, gentle(100)).join(), /under load, 4 -> 3 shards: .*0\.25 x true$/);
  assert.match(saidOf(/longest wait/, atomic, gentle(120)).join(), /0\.30 x false$/);
  assert.deepEqual(saidOf(/longest wait/, kept('idle-3-4', 'gentle', move(1))), []);
});

it('counts errors of Valkeeper alone, and what is lost by anybody', () => {
  const failing = clients(1, { errors: { MOVED: 2 } });
  const losing = clients(1, { readBack: { checked: 5, lost: 3 } });
  const counts = said(
    kept('load-3-4', 'fast', move(1, failing)),
    kept('load-3-4', 'keys', move(1, { ...losing, errors: { ASK: 9 } }, 98)),
    kept('load-4-3', 'gentle', { number: 1, failure: 'stuck' }),
  ).slice(-4);
  assert.deepEqual(counts, [
    'errors at clients of Valkeeper: 2 MOVED false',
    'acknowledged writes that are not there, of all: 3 false',
    'keys missing, or too many, of all: 2 false',
    'repetitions of Valkeeper that failed: 1 false',
  ]);
  assert.match(saidOf(/errors/, kept('load-3-4', 'fast', move(1, clients(1)))).join(), /: 0 true$/);
  assert.match(saidOf(/errors/, kept('idle-3-4', 'fast', move(1))).join(), /not measured null$/);
});

it('keys of which nobody knows may be there or not', () => {
  const stray = (after: number): number =>
    strayKeys({ ...move(1), keys: { before: 100, added: 10, unsure: 2, after } });
  assert.deepEqual([108, 109, 110, 112, 113].map(stray), [2, 1, 0, 0, 1]);
});

it('shows systems side by side in their order, and refuses what it does not know', () => {
  const results = resultsOf([
    kept('load-3-4', 'atomic', move(900, clients(300))),
    kept('load-3-4', 'fast', move(1_000, clients(100))),
    kept('load-3-4', 'fast', move(3_000, clients(150))),
    kept('idle-3-4', 'fast', { number: 1, failure: 'no room' }),
  ]);
  const [times, waiting, there] = rebalanceTables(results, 'title');
  assert.deepEqual(times!.head, ['', 'Valkeeper fast', 'valkey-cli atomic']);
  const row = (table: typeof times, words: string): readonly string[] => table!.rows.find(([what]) => what === words)!;
  assert.deepEqual(row(times, 'under load, 3 -> 4 shards: time of the slots').slice(1), [
    '2,000 ms (1,000 ms to 3,000 ms)',
    '900 ms',
  ]);
  assert.deepEqual(row(waiting, 'under load, 3 -> 4 shards: **longest wait**').slice(1), [
    '125 ms (100 ms to 150 ms)',
    '300 ms',
  ]);
  assert.deepEqual(row(there, 'idle, 3 -> 4 shards: repetitions that failed').slice(1), ['1: no room', '']);
  assert.throws(() => resultsOf([kept('load-5-6', 'fast', move(1))]), /no load-5-6 of fast/);
});
