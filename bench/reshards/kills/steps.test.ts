import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { DatabaseStatus, NodeStatus, ReshardStatus } from '../../../src/domain/status.ts';
import { likelyParties, reachedSteps } from './steps.ts';

const node = (nodeId: string, pid: number | null): NodeStatus => ({
  ...{ nodeId, host: 'h', port: 1, pid, machine: 'm', state: pid === null ? 'down' : 'running' },
});
const shard = (id: string, pid: number | null = 1): DatabaseStatus['shards'][number] => ({
  ...{ id, slots: [], primary: node(`${id} p`, pid), replicas: [] },
});
const seen = (state: ReshardStatus['state'] | null, ...shards: DatabaseStatus['shards']) => ({
  ...{ reshard: state === null ? null : ({ state } as ReshardStatus), shards },
});
const BEFORE = new Set(['1', '2']);

it('tells the steps of a way to more shards', () => {
  assert.deepEqual(reachedSteps(BEFORE, seen('moving', shard('1'), shard('2'))), []);
  assert.deepEqual(reachedSteps(BEFORE, seen('moving', shard('1'), shard('2'), shard('3', null))), []);
  assert.deepEqual(reachedSteps(BEFORE, seen('moving', shard('1'), shard('2'), shard('3'))), ['made']);
  assert.deepEqual(reachedSteps(BEFORE, seen(null, shard('1'), shard('2'), shard('3'))), ['made', 'over']);
});

it('tells the steps of a way to fewer', () => {
  assert.deepEqual(reachedSteps(BEFORE, seen('leaving', shard('1'), shard('2'))), ['moved']);
  assert.deepEqual(reachedSteps(BEFORE, seen('leaving', shard('1'))), ['moved', 'retired']);
  assert.deepEqual(reachedSteps(BEFORE, seen(null, shard('1'))), ['retired', 'over']);
});

it('takes an old shard for the source and a new one for the target, where there is one that runs', () => {
  assert.deepEqual(likelyParties(BEFORE, [shard('1'), shard('2'), shard('3')]), { source: '1 p', target: '3 p' });
  assert.deepEqual(likelyParties(BEFORE, [shard('1'), shard('2'), shard('3', null)]), { source: '1 p', target: '2 p' });
  assert.deepEqual(likelyParties(BEFORE, [shard('1')]), { source: '1 p', target: '1 p' });
});
