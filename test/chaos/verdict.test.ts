/** What counts as a violation, what an asynchronous database is excused, and what is kept for later rounds. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readOperations } from './history.ts';
import type { ChaosDatabase } from './scenario.ts';
import { judge, type Kept, lostWrites } from './verdict.ts';

const database = (durability: ChaosDatabase['durability']): ChaosDatabase => ({
  ...{ name: 'd', shards: 1, replicas: 1, persistence: 'aof', durability, replaceAfterSeconds: 10 },
  acknowledgements: durability === 'async' ? 0 : 1,
});
const history = readOperations([
  [
    { begin: 'a', atMs: 1_000, database: 'd', kind: 'set', key: 'k', value: 'a' },
    { end: 'a', atMs: 1_001, outcome: 'ok', result: 'OK' },
    { begin: 'b', atMs: 1_000, database: 'd', kind: 'set', key: 'l', value: 'b' },
  ]
    .map((line) => JSON.stringify(line))
    .join('\n'),
]);
const fault = { what: 'a kill', beganMs: 2_000, shards: ['d/s'] };
const fresh = (): Kept => ({ finals: new Map(), uncertain: new Set() });
const read = (k: string | null, l: string | null) => ({
  finals: new Map([
    ['k', k],
    ['l', l],
  ]),
  finalMs: 9_000,
});

const verdictOf = (durability: ChaosDatabase['durability'], kept = fresh(), faults = [fault]) =>
  judge(database(durability), history, read(null, null), kept, faults, () => 'd/s');

it('excuses an asynchronous database what it lost when a fault came, and nothing else', () => {
  const excused = verdictOf('async');
  assert.deepEqual([excused.violations.length, lostWrites(excused.excused)], [0, 1]);
  assert.equal(excused.excused[0]!.fault, 'a kill');
  assert.equal(lostWrites(verdictOf('async', fresh(), []).violations), 1);
});

it('excuses nothing where acknowledgements are waited for', () => {
  const { violations, excused, operations } = verdictOf('acknowledged');
  assert.deepEqual([lostWrites(violations), excused.length], [1, 0]);
  assert.deepEqual(operations, { ok: 1, failed: 0, unknown: 1 });
});

it('remembers what keys were, and which may still change', () => {
  const kept = fresh();
  verdictOf('async', kept);
  assert.deepEqual([...kept.uncertain], ['l']);
  const later = judge(database('async'), [], read('a', 'b'), kept, [fault], () => 'd/s');
  assert.deepEqual(
    later.violations.map(({ kind, key }) => `${kind} ${key}`),
    ['resurrected k'],
  );
});
