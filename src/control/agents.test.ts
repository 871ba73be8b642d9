import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { type EndpointView, WHOLE_FILES } from '../domain/view.ts';
import { systemClock } from '../platform/clock.ts';
import { AGENT_PATH, AGENT_PROTOCOL, type Hello, type NodeReport } from '../protocol/agent-messages.ts';
import { Agents } from './agents.ts';
import { serveAgents } from './serve-agents.ts';

test('turns an agent of another protocol away: it is told why, the registry tells it once and lets nobody in', async (t) => {
  const agents = new Agents(systemClock);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  serveAgents(
    server,
    () => ({ agents, term: null, servers: [] }),
    () => ({ kind: 'local' }),
  );
  const told: unknown[] = [];
  agents.on('other-protocol', (...what) => told.push(what));

  const other = AGENT_PROTOCOL + 1;
  const hello = { type: 'hello', protocol: other, machine: 'm1', nodes: [] } as unknown as Hello;
  for (let visit = 0; visit < 2; visit += 1) {
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}${AGENT_PATH}`);
    socket.on('open', () => socket.send(JSON.stringify(hello)));
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    assert.deepEqual([code, String(reason)], [1008, `agent protocol ${other} is not ${AGENT_PROTOCOL}`]);
  }
  assert.deepEqual(told, [['m1', other]]);
  assert.deepEqual(agents.machines(), []);
});

const REPORT: NodeReport = {
  ...{ id: 'a'.repeat(40), database: 'main', databaseUid: 'uid-1', port: 7000, process: { state: 'running', pid: 7 } },
  pulse: { state: 'well', since: 0 },
  disk: { hasData: true, dataAt: 1, claim: null, ...WHOLE_FILES, settings: { appendonly: 'yes' }, aclMark: 'mark' },
};

const connected = (): Agents => {
  const agents = new Agents(systemClock);
  const hello: Hello = {
    ...{ type: 'hello', protocol: AGENT_PROTOCOL, machine: 'm1', address: '127.0.0.11', zone: 'local' },
    ...{
      memoryBytes: 1,
      pid: 1,
      engineVersion: '9.1.0',
      tls: false,
      instance: 'i',
      certificate: null,
      nodes: [REPORT],
      endpoint: null,
      neighbourPort: null,
    },
  };
  agents.welcome({ send: () => {}, close: () => {} }, hello);
  return agents;
};

test('what an agent tells of a node is known at once, and told on only when it is news', () => {
  const agents = connected();
  let told = 0;
  agents.on('node', (uid, id) => {
    assert.deepEqual([uid, id], ['uid-1', REPORT.id]);
    told += 1;
  });
  const { disk } = REPORT;
  const after = (node: NodeReport): number => {
    agents.heard('m1', { type: 'node', node });
    assert.deepEqual(agents.report('m1', node.id), node);
    return told;
  };
  assert.equal(after({ ...REPORT }), 0, 'the same again');
  assert.equal(after({ ...REPORT, disk: { ...disk, dataAt: 2 } }), 0, 'a process that runs has written');
  assert.equal(after({ ...REPORT, disk: { ...disk, settings: { appendonly: 'no' } } }), 1, 'other settings');
  assert.equal(after({ ...REPORT, process: { state: 'running', pid: 8 } }), 2, 'another process');
  const ended = { ...REPORT, process: { state: 'exited', how: 'died', at: 5, detail: 'killed' } } as const;
  assert.equal(after(ended), 3, 'it has ended');
  assert.equal(
    after({ ...ended, disk: { ...disk, dataAt: 9 } }),
    4,
    'of a process that has ended, this says what a start would find',
  );
  agents.heard('m1', { type: 'node-removed', id: REPORT.id });
  assert.deepEqual([told, agents.report('m1', REPORT.id)], [5, 'absent']);
});

test('the list of machines is made anew when a machine changes, not when its nodes do', () => {
  const agents = connected();
  const before = agents.machines();
  agents.heard('m1', { type: 'node', node: { ...REPORT, process: { state: 'running', pid: 8 } } });
  assert.equal(agents.machines(), before);
  const endpoint: EndpointView = { pid: 3, metricsPort: null, problem: null, databases: [] };
  agents.heard('m1', { type: 'endpoint', endpoint });
  assert.deepEqual(
    agents.machines().map((machine) => machine.endpoint),
    [endpoint],
  );
  assert.deepEqual(
    before.map((machine) => machine.endpoint),
    [null],
  );
});
