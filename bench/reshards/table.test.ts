import assert from 'node:assert/strict';
import { it } from 'node:test';
import { UNKNOWN } from '../faults/history.ts';
import { type Finding, NOTHING, OK } from './judge.ts';
import type { Operation } from './load.ts';
import { complaints, errorsIn, failedIn, measuredIn, type Remains } from './table.ts';

const CHANGE = { startedAt: 1_000, endedAt: 2_000 };
const operation = (way: Operation['way'], sentAt: number, answeredAt: number, outcome = OK): Operation => ({
  ...{ way, kind: 'value', key: `key:${sentAt}`, value: '1', sentAt, answeredAt, outcome },
});
const ROUND = {
  number: 1,
  operations: [
    operation('endpoint', 100, 999), // answered before it began
    operation('endpoint', 990, 1_010), // under way when it began
    operation('endpoint', 1_500, 1_530),
    operation('cluster', 1_600, 1_607, UNKNOWN),
    operation('cluster', 1_990, 2_090), // under way when it ended
    operation('cluster', 2_001, 2_900, 'MOVED'), // sent afterwards
  ],
};

it('measures the longest wait of what was under way during the reshard, for each way', () => {
  const { longestMs, operations } = measuredIn(CHANGE, ROUND, 0);
  assert.deepEqual([longestMs, operations], [{ endpoint: 30, cluster: 100 }, 6]);
  assert.deepEqual(measuredIn(CHANGE, { number: 1, operations: [] }, 0).longestMs, { endpoint: 0, cluster: 0 });
});

it('counts the errors of the whole round, and tells which operations they were', () => {
  assert.deepEqual(errorsIn(ROUND), { endpoint: {}, cluster: { [UNKNOWN]: 1, MOVED: 1 } });
  const [first, ...more] = failedIn(ROUND, 0);
  assert.match(first!, /^UNKNOWNOUTCOME: key:1600 \(slot \d+\), sent 1970-01-01T00:00:01.600Z, ended /);
  assert.equal(more.length, 1);
});

it('complains of whatever is not as it should be, at the end too', () => {
  const clean = { found: { endpoint: NOTHING, cluster: NOTHING }, errors: { endpoint: {}, cluster: {} } };
  const remains: Remains = {
    ...{ repetitions: [], last: clean, ballast: NOTHING, readErrors: [], operations: 0, failure: null },
  };
  assert.deepEqual(complaints([], remains), []);
  const lost: Finding = { ...NOTHING, lost: 2 };
  const last = { found: { endpoint: lost, cluster: { ...NOTHING, twice: 1 } }, errors: errorsIn(ROUND) };
  assert.deepEqual(complaints([], { ...remains, last, ballast: lost, readErrors: ['LOADING'], failure: 'refused' }), [
    'ended early: refused',
    '2 acknowledged operations were lost',
    '1 operations were applied twice',
    '2 keys of the ballast are missing',
    `1 errors at clients: ${UNKNOWN}`,
    '1 errors at clients: MOVED',
    '1 errors when reading back',
  ]);
});
