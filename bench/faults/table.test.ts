import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Repetition } from './repetition.ts';
import { ROWS } from './rows.ts';
import type { RowResult } from './run-row.ts';
import { faultTable } from './table.ts';

const repetition = (waitMs: number | null, lost: number, more: object = {}): Repetition => ({
  ...{ number: 0, seen: { broken: [], ...more }, wholeMs: 1, tookMs: 1 },
  finding: {
    ...{ waitMs, writes: 10, acknowledged: 9, errors: { UNKNOWNOUTCOME: 1 }, strayErrors: {} },
    ...{ lost, lostFromMs: null, lostUntilMs: null, deniedButDone: 0 },
  },
});
const row = ROWS.find(({ id }) => id === 'pause-5')!;
const result = (system: string, ...repetitions: Repetition[]): RowResult => ({
  row,
  system,
  repetitions,
  failure: null,
});

it('a row shows what was measured, whether it holds, and what others did', () => {
  const { rows } = faultTable(
    [
      result('Valkeeper', repetition(10, 0, { promotedAfterMs: 20 }), repetition(30, 2, { promotedAfterMs: null })),
      result('alone', repetition(null, 0)),
    ],
    ['Valkeeper', 'alone', 'other'],
  );
  const [[fault, demand, measured, holds, alone, other]] = rows as [string[]];
  assert.match(fault!, /stopped for 5 s/);
  assert.match(demand!, /^lost 0; errors only in flight; another within 3 s/);
  assert.equal(
    measured,
    '2 times: p50 20 ms, p99 29.8 ms, max 30 ms; errors 2 UNKNOWNOUTCOME; not in flight 0; lost 2; another was primary after 20 ms at most (1 of 2)',
  );
  assert.equal(holds, 'no: 2 acknowledged writes lost');
  assert.match(alone!, /^once: never accepted again; lost 0$/);
  assert.equal(other, '');
});

it('a row that ended early does not hold', () => {
  const { rows } = faultTable([{ ...result('Valkeeper'), failure: 'no machine' }], ['Valkeeper']);
  assert.deepEqual(rows[0]!.slice(2), ['no machine', 'no: ended early']);
});
