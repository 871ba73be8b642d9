import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ProcessView } from '../domain/view.ts';
import { DownTimes } from './down-times.ts';

const RUNS: ProcessView = { state: 'running', pid: 1 };
const DIED: ProcessView = { state: 'exited', how: 'died', at: 0, detail: '' };

it('counts from the first time a node was seen not to run, however often it is started and dies', () => {
  const downs = new DownTimes();
  assert.equal(downs.note('a', RUNS, 0), null);
  assert.equal(downs.note('a', DIED, 1_000), 1_000);
  assert.equal(downs.note('a', RUNS, 2_000), null);
  assert.equal(downs.note('a', { state: 'absent' }, 3_000), 1_000);
  assert.equal(downs.note('a', { state: 'unknown' }, 4_000), null, 'who cannot be asked is not known to be down');
  assert.equal(downs.note('a', DIED, 5_000), 1_000);
});

it('begins anew after a node has run well', () => {
  const downs = new DownTimes();
  downs.note('a', DIED, 0);
  downs.note('a', RUNS, 1_000);
  assert.equal(downs.note('a', RUNS, 11_000), null);
  assert.equal(downs.note('a', DIED, 12_000), 12_000);
  downs.note('a', RUNS, 13_000);
  assert.equal(downs.note('a', DIED, 30_000), 30_000, 'not looked at meanwhile, it had run for long enough');
});

it('forgets nodes that are gone', () => {
  const downs = new DownTimes();
  downs.note('a', DIED, 0);
  downs.keepOnly(new Set(['b']));
  assert.equal(downs.note('a', DIED, 5_000), 5_000);
});
