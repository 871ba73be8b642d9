import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { AnsweringEngine, NodeView, ProcessView } from '../domain/view.ts';
import { DownTimes } from './down-times.ts';

const silent = (process: ProcessView): Pick<NodeView, 'process' | 'engine'> => ({
  process,
  engine: { state: 'unknown', reason: 'refused' },
});
const died = (at: number) => silent({ state: 'exited', how: 'died', at, detail: '' });
const DIED = died(0);
const STARTS = silent({ state: 'running', pid: 1 });
const answers = (loading: boolean): Pick<NodeView, 'process' | 'engine'> => ({
  ...STARTS,
  engine: { state: 'answering', loading } as AnsweringEngine,
});
const SERVES = answers(false);

it('counts from the first time a node was seen not to run, however often it is started and dies', () => {
  const downs = new DownTimes();
  assert.equal(downs.note('a', SERVES, 0), null);
  assert.deepEqual(downs.note('a', DIED, 1_000), { since: 1_000, deaths: 1 });
  assert.deepEqual(downs.note('a', DIED, 1_500), { since: 1_000, deaths: 1 }, 'the same death');
  assert.equal(downs.note('a', STARTS, 2_000), null);
  assert.equal(downs.note('a', SERVES, 3_000), null);
  assert.deepEqual(downs.note('a', silent({ state: 'absent' }), 5_000), { since: 1_000, deaths: 1 });
  assert.equal(
    downs.note('a', silent({ state: 'unknown' }), 6_000),
    null,
    'who cannot be asked is not known to be down',
  );
  assert.deepEqual(downs.note('a', died(6_500), 7_000), { since: 1_000, deaths: 2 });
});

it('begins anew after a node has served for a while', () => {
  const downs = new DownTimes();
  downs.note('a', DIED, 0);
  downs.note('a', SERVES, 1_000);
  assert.equal(downs.note('a', SERVES, 4_000), null);
  assert.deepEqual(downs.note('a', died(4_500), 5_000), { since: 5_000, deaths: 1 });
  downs.note('a', SERVES, 6_000);
  assert.equal(downs.note('a', DIED, 30_000)?.since, 30_000, 'not looked at meanwhile, it had run for long enough');
});

it('does not take a node that dies while it reads its data for one that ran', () => {
  const downs = new DownTimes();
  downs.note('a', DIED, 0);
  downs.note('a', answers(true), 1_000);
  downs.note('a', answers(true), 30_000);
  assert.equal(downs.note('a', DIED, 31_000)?.since, 0);
});

it('forgets nodes that are gone', () => {
  const downs = new DownTimes();
  downs.note('a', DIED, 0);
  downs.forget('a');
  assert.equal(downs.note('a', DIED, 5_000)?.since, 5_000);
});
