import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { systemClock } from '../platform/clock.ts';
import { AGENT_PATH, AGENT_PROTOCOL, type Hello } from '../protocol/agent-messages.ts';
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
