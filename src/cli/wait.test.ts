import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SPEC } from '../domain/spec.ts';
import type { DatabaseStatus, NodeStatus } from '../domain/status.ts';
import { Progress } from './progress.ts';
import { missingToReady, waitUntil } from './wait.ts';

const node: NodeStatus = {
  nodeId: 'a',
  host: '127.0.0.11',
  port: 7000,
  pid: 1,
  machine: 'machine-1',
  state: 'running',
};

const creating: DatabaseStatus = {
  name: 'main',
  state: 'creating',
  spec: { ...DEFAULT_SPEC, shards: 2 },
  generation: 1,
  observedGeneration: 0,
  conditions: [],
  endpoint: null,
  endpoints: [],
  reshard: null,
  restore: null,
  archive: null,
  clusterEndpoints: [],
  shards: [
    { id: 'shard-1', slots: [[0, 8191]], primary: node, replicas: [{ ...node, lagBytes: 0, inSync: true }] },
    { id: 'shard-2', slots: [], primary: null, replicas: [{ ...node, lagBytes: null, inSync: false }] },
  ],
};

const progress = new Progress({ write: () => assert.fail('nothing to show within a second') });

const waitFor = (missing: (string | null)[]) =>
  waitUntil({
    poll: async () => missing.shift() ?? null,
    missing: (lacking) => lacking,
    timeoutMs: missing.length > 2 ? 0 : 10_000,
    progress,
    what: 'main was not ready',
    command: 'valkeeper db show main',
  });

test('says what a database lacks', () => {
  assert.equal(missingToReady(creating), 'main is creating: 1 of 2 shards served; 1 of 2 replicas in sync');
  assert.equal(missingToReady({ ...creating, state: 'ready' }), null);
  const address = { host: '127.0.0.11', port: 6379, url: 'redis://default@127.0.0.11:6379/0' };
  const ready: DatabaseStatus = {
    ...creating,
    state: 'ready',
    endpoints: [{ ...address, machine: 'machine-1', serves: false }],
  };
  assert.equal(missingToReady(ready), 'the endpoint of main does not serve yet');
  assert.equal(missingToReady({ ...ready, endpoint: address }), null);
  const closed = { code: 'endpoint_closed', severity: 'warning', message: '', advice: '', since: '' } as const;
  assert.equal(missingToReady({ ...ready, conditions: [closed] }), null, 'it is told why');
});

test('ends when nothing is missing', async () => {
  await waitFor(['a shard']);
  progress.end();
});

test('gives up in time and says what is missing', async () => {
  await assert.rejects(waitFor(['a', 'b', 'c']), { code: 'not_in_time', message: 'main was not ready within 0 s: a.' });
});
