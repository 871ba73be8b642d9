/** A real agent and the servers of its fleet: which of them it goes to, and whom it obeys. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type AgentHost, serveAgents } from '../../src/control/serve-agents.ts';
import { type AgentScene, agentScene } from '../support/agent-scene.ts';
import {
  type FakeControl,
  type FakeControlOptions,
  type FakeSession,
  startFakeControl,
} from '../support/fake-control.ts';

const MACHINE = 'm1';
const term = (number: number, fleet = 'one') => ({ fleet, number });

async function control(t: TestContext, options: FakeControlOptions): Promise<FakeControl> {
  const made = await startFakeControl(options);
  t.after(() => made.close());
  return made;
}

/** A server that does not lead: the real door, which sends agents to who does. */
async function follower(t: TestContext, hostNow: () => AgentHost): Promise<string> {
  const server: Server = createServer();
  serveAgents(server, hostNow, () => ({ kind: 'local' }));
  return listening(t, server);
}

async function listening(t: TestContext, server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts the scene's agent, which knows these servers, and ends it after `use`. */
async function withAgent(scene: AgentScene, controlUrls: readonly string[], use: () => Promise<void>): Promise<void> {
  const child = scene.spawnAgent({ controlUrls });
  const exited = once(child.process, 'exit');
  await use();
  child.process.kill('SIGTERM');
  await exited;
}

const answers = (session: FakeSession): Promise<unknown> => session.request('free_ports', { count: 1, avoid: [] });

test('an agent that has seen a term obeys no lesser one, not after a restart either', async (t) => {
  const scene = await agentScene(t, { term: term(7) });
  const former = await control(t, { term: term(5) });
  const other = await control(t, { term: term(5, 'two') });
  const next = await control(t, { term: term(8) });

  await withAgent(scene, [scene.control.url], async () => void (await answers(await scene.control.agent(MACHINE))));
  const config = scene.nodeConfig(0);
  await withAgent(scene, [former.url], async () => {
    const session = await former.agent(MACHINE);
    session.request('create_node', config).catch(() => {}); // its connection ends without an answer
    await session.ended;
    await former.agent(MACHINE); // it goes on asking, since there is no other
  });
  assert.equal(existsSync(scene.nodeDir(config.id)), false);
  await withAgent(scene, [next.url], async () => {
    const session = await next.agent(MACHINE);
    assert.equal((await session.request('create_node', config)).pid > 0, true);
    await session.request('remove_node', { id: config.id, databaseUid: config.databaseUid });
  });
  // Numbers of another fleet say nothing about those of this one.
  await withAgent(scene, [other.url], async () => void (await answers(await other.agent(MACHINE))));
});

test('a server that does not lead tells an agent where to go; a silent one is passed over', async (t) => {
  const scene = await agentScene(t, { term: term(1) });
  const sockets = new Set<Socket>();
  const silent = await listening(
    t,
    createTcpServer((socket) => sockets.add(socket)),
  );
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let leader: string | null = null;
  const sender = await follower(t, () => ({ leader }));
  await withAgent(scene, [silent, sender], async () => {
    // As long as nobody leads it goes on asking.
    while (sockets.size < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(scene.control.hellos, 0);
    leader = scene.control.url;
    await answers(await scene.control.agent(MACHINE));
  });
});

test('an agent learns where the servers are, and finds another after a restart', async (t) => {
  const second = await control(t, { term: term(2) });
  const scene = await agentScene(t, { term: term(1), servers: [second.url] });
  const first = scene.control.url;
  await withAgent(scene, [first], async () => void (await answers(await scene.control.agent(MACHINE))));
  await scene.control.close();
  await withAgent(scene, [first], async () => void (await answers(await second.agent(MACHINE))));
});
