import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Finding } from './history.ts';
import type { Repetition } from './repetition.ts';
import { broken, type Demand, sumByKind } from './verdict.ts';

const DEMAND: Demand = { waitMs: { 50: 50, 99: 250 }, lost: 0, strayErrors: 0 };
const GOOD: Finding = {
  ...{ waitMs: 40, writes: 100, acknowledged: 100, errors: {}, strayErrors: {} },
  ...{ lost: 0, lostFromMs: null, lostUntilMs: null, deniedButDone: 0 },
};
const run = (finding: Partial<Finding>, ...faults: string[]): Repetition => ({
  ...{ number: 0, finding: { ...GOOD, ...finding }, seen: { broken: faults }, wholeMs: 1, tookMs: 1 },
});

it('says of each demand whether it is broken', () => {
  assert.deepEqual(broken(DEMAND, [run({}), run({ waitMs: 45 })]), []);
  const late = broken(DEMAND, [run({ waitMs: 60 }), run({ waitMs: 300 }), run({ waitMs: 70 })]);
  assert.equal(late.length, 2);
  assert.match(late[0]!, /^wait p50 70 ms > 50 ms$/);
  assert.deepEqual(broken(DEMAND, [run({ waitMs: null })]), ['1 times no write was accepted again']);
  assert.deepEqual(broken(DEMAND, [run({}), run({}), run({ waitMs: null })]), ['1 times no write was accepted again']);
  assert.match(broken(DEMAND, [run({ lost: 2 })]).join(), /^2 acknowledged writes lost$/);
  assert.deepEqual(broken({ ...DEMAND, lost: null }, [run({ lost: 2 })]), []);
  assert.match(
    broken(DEMAND, [run({ strayErrors: { CLUSTERDOWN: 3 } })]).join(),
    /^3 errors of commands not in flight$/,
  );
  assert.deepEqual(broken({ ...DEMAND, strayErrors: null }, [run({ strayErrors: { CLUSTERDOWN: 3 } })]), []);
  assert.match(broken(DEMAND, [run({ deniedButDone: 1 })]).join(), /^1 writes were said not to be done/);
  assert.deepEqual(broken(DEMAND, [run({}, 'two owners'), run({}, 'two owners')]), ['two owners']);
});

it('looks how long before the fault a lost write was acknowledged', () => {
  const demand: Demand = { ...DEMAND, lost: null, lostFromMs: -2_000 };
  assert.deepEqual(broken(demand, [run({ lost: 1, lostFromMs: -1_900 })]), []);
  assert.match(broken(demand, [run({ lost: 1, lostFromMs: -2_100 })]).join(), /^1 times a write was lost/);
});

it('adds errors up by kind', () => {
  assert.deepEqual(sumByKind([{ a: 1 }, { a: 2, b: 1 }, {}]), { a: 3, b: 1 });
});
