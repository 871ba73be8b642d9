/** An agent keeps its machine's endpoint process; the process itself is a stand-in. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { ValkeeperError } from '../../src/domain/errors.ts';
import { ENDPOINT_PROTOCOL, type EndpointConfig, type EndpointDatabase } from '../../src/protocol/endpoint-messages.ts';
import { type AgentScene, agentScene, eventually, killAndWait } from '../support/agent-scene.ts';
import type { FakeSession } from '../support/fake-control.ts';
import { processesUnder } from '../support/leaks.ts';

const database = (name: string, port: number): EndpointDatabase => ({
  name,
  uid: `uid of ${name}`,
  port,
  users: [{ name: 'default', passwordSha256: null }],
  adminPassword: 'admin',
  read: 'primary',
  acknowledgements: 0,
  tls: 'optional',
  nodes: [],
});

/** Who answers there. */
async function pidAt(address: string, port: number): Promise<number> {
  const socket = connect({ host: address, port });
  return Number((await text(socket)).replace(/\D/g, ''));
}

const serves = (session: FakeSession, ...ports: number[]): Promise<number> =>
  session.until(`an endpoint at ${ports.join(' and ')}`, () => {
    const { pid = null, databases = [] } = session.endpoint ?? {};
    const open = databases.filter(({ problem }) => problem === null).map(({ port }) => port);
    return pid !== null && JSON.stringify(open) === JSON.stringify(ports);
  });

const heard = (scene: AgentScene): string[] => {
  const path = join(scene.dir, 'endpoint-heard.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};

const endpointsOf = (scene: AgentScene) => processesUnder(scene.dir).filter(({ command }) => / --dir /.test(command));

test('an endpoint runs while there is something to serve, and is told of every change', async (t) => {
  const scene = await agentScene(t);
  const { session } = await scene.agent({ endpoint: true });
  assert.deepEqual(session.hello.endpoint, { pid: null, metricsPort: null, problem: null, databases: [] });

  const databases = [database('one', 6379)];
  await session.request('serve_endpoint', { databases });
  const before = performance.now();
  await serves(session, 6379);
  t.diagnostic(`the first endpoint serves after ${(performance.now() - before).toFixed(0)} ms`);
  const { pid } = session.endpoint!;
  assert.equal(await pidAt(scene.address, 6379), pid);
  const file = join(scene.dir, 'endpoint.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const config = JSON.parse(readFileSync(file, 'utf8')) as EndpointConfig;
  assert.deepEqual(
    { ...config },
    {
      protocol: ENDPOINT_PROTOCOL,
      machine: 'm1',
      address: scene.address,
      zone: 'local',
      tls: null,
      workers: 1,
      metricsPort: 9121,
      databases,
    },
  );
  const [, , , ownSession] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  assert.equal(Number(ownSession), pid, 'a session of its own');

  await session.request('serve_endpoint', { databases: [...databases, database('two', 6380)] });
  await serves(session, 6379, 6380);
  assert.equal(session.endpoint!.pid, pid, 'the same process');
  await session.request('nudge_endpoint', { database: 'uid of two' });
  await session.request('nudge_endpoint', { database: 'unknown' });
  await eventually('the nudge', async () => heard(scene).includes('{"do":"look","database":"uid of two"}'));
  const pace = { database: 'uid of two', slots: [[0, 9]] as const, bytesPerSecond: 1_000 };
  await session.request('pace_endpoint', pace);
  await session.request('pace_endpoint', { ...pace, database: 'unknown' });
  await eventually('the pace', async () => heard(scene).includes(JSON.stringify({ do: 'pace', ...pace })));
  await assert.rejects(session.request('pace_endpoint', { ...pace, bytesPerSecond: 0 }), /a number above 0/);
  assert.ok(!heard(scene).some((line) => line.includes('unknown')));

  await session.request('serve_endpoint', { databases: [] });
  await session.until('no endpoint', () => session.endpoint?.pid === null);
  await eventually('the end of the endpoint', async () => endpointsOf(scene).length === 0);
});

test('an endpoint outlives its agent, is adopted, and is started again when it dies, by any agent alone', async (t) => {
  const scene = await agentScene(t);
  const first = await scene.agent({ endpoint: true });
  await first.session.request('serve_endpoint', { databases: [database('one', 6379)] });
  await serves(first.session, 6379);
  const { pid } = first.session.endpoint!;
  first.child.process.kill('SIGKILL');
  await once(first.child.process, 'exit');
  assert.equal(await pidAt(scene.address, 6379), pid);

  const { session } = await scene.agent({ endpoint: true });
  assert.deepEqual(session.hello.endpoint, {
    pid,
    metricsPort: 9121,
    problem: null,
    databases: [{ uid: 'uid of one', port: 6379, problem: null }],
  });
  await killAndWait(pid!);
  await session.until('another process', () => session.endpoint?.pid !== null && session.endpoint?.pid !== pid);
  await serves(session, 6379);
});

test('a successor takes over, and nothing of either survives the end of the machine', async (t) => {
  const scene = await agentScene(t);
  const { session, child } = await scene.agent({ endpoint: true });
  await assert.rejects(
    session.request('replace_endpoint', { drainMs: 0 }),
    (error) => error instanceof ValkeeperError && error.code === 'no_endpoint',
  );
  await session.request('serve_endpoint', { databases: [database('one', 6379)] });
  await serves(session, 6379);
  const { pid } = session.endpoint!;
  const successor = await session.request('replace_endpoint', { drainMs: 60_000 });
  assert.notEqual(successor.pid, pid);
  await session.until('the successor', () => session.endpoint?.pid === successor.pid);
  assert.equal(await pidAt(scene.address, 6379), successor.pid);
  assert.equal(endpointsOf(scene).length, 2, 'the old one drains');

  await session.request('shut_down', { graceMs: 2_000 });
  if (child.process.exitCode === null) await once(child.process, 'exit');
  assert.equal(child.process.exitCode, 0);
  assert.deepEqual(processesUnder(scene.dir), []);
});

test('why an endpoint does not serve is told: a port that is taken, a process that ends', async (t) => {
  const scene = await agentScene(t);
  const other = createServer();
  other.listen({ host: scene.address, port: 6379 });
  await once(other, 'listening');
  const closed = once(other, 'close');
  scene.onClear(() => other.listening && other.close());
  const { session } = await scene.agent({ endpoint: true });
  assert.deepEqual(await session.request('taken_ports', { ports: [6378, 6379, 6380] }), { taken: [6379] });

  await session.request('serve_endpoint', { databases: [database('one', 6379)] });
  await session.until('a taken port', () => /EADDRINUSE/.test(session.endpoint?.databases[0]?.problem ?? ''));
  other.close();
  await closed;
  await session.request('serve_endpoint', { databases: [database('fails', 6379)] });
  await killAndWait(session.endpoint!.pid!);
  await session.until('a process that ends', () => /it was made to fail/.test(session.endpoint?.problem ?? ''));
  await session.request('serve_endpoint', { databases: [database('one', 6379)] });
  await serves(session, 6379);
});
