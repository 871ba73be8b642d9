/** An agent with credentials: its nodes speak TLS and nothing else, and take renewed certificates while they run. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from 'node:tls';
import { type Credentials, clientOptions } from '../../src/trust/credentials.ts';
import { EngineUnreachable } from '../../src/valkey/connection.ts';
import { type AgentScene, agentScene, eventually, killAndWait, MACHINE } from '../support/agent-scene.ts';
import { valkeeperError } from '../support/errors.ts';
import { CONTROL, machine, testAuthority, writeTlsFiles } from '../support/trust.ts';

/** A machine that has joined. */
async function joinedScene(t: TestContext) {
  const scene = await agentScene(t);
  const authority = await testAuthority();
  const folder = join(scene.dir, 'tls');
  mkdirSync(folder);
  const issue = async () =>
    writeTlsFiles(folder, await authority.credentials(machine(MACHINE), { addresses: [scene.address] }));
  return { scene, authority, folder, issue, files: await issue(), control: await authority.credentials(CONTROL) };
}

/** The serial number that a new connection is shown. */
async function shownSerial(scene: AgentScene, port: number, control: Credentials): Promise<string> {
  const socket = connect({ host: scene.address, port, ...clientOptions(control, { kind: 'machine' }) });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return serialNumber;
}

const unreachable = (error: unknown): boolean => error instanceof EngineUnreachable;

test('a node of an agent with credentials speaks TLS only, is adopted, configured and stopped as any other', async (t) => {
  const { scene, files, control } = await joinedScene(t);
  const first = await scene.agent({ credentials: files });
  assert.equal(first.session.hello.tls, true);
  const config = scene.nodeConfig(0, { tls: true });
  const { pid } = await first.session.request('create_node', config);
  const engine = scene.connect(config.port, control);
  assert.equal(await engine.command('CLUSTER', 'MYID'), config.id);
  await assert.rejects(scene.connect(config.port).command('PING'), unreachable, 'nothing without TLS');

  await killAndWait(first.child.process.pid!);
  const { session } = await scene.agent({ credentials: files });
  assert.deepEqual(session.nodes.get(config.id)?.process, { state: 'running', pid });
  assert.doesNotMatch((await session.request('read_log', { id: null, lines: 50 })).text, /does not say who it is/);

  const directives = [...config.directives, ['maxmemory', '50mb']] as const;
  assert.deepEqual(await session.request('configure_node', { id: config.id, pid, directives }), { written: true });
  process.kill(pid, 'SIGKILL');
  await session.until('the report of its exit', (nodes) => nodes.get(config.id)?.process.state === 'exited');
  const again = await session.request('start_node', { id: config.id, as: { kind: 'itself' } });
  assert.deepEqual(await engine.command('CONFIG', 'GET', 'maxmemory'), ['maxmemory', String(50 * 1024 ** 2)]);
  await assert.rejects(scene.connect(config.port).command('PING'), unreachable, 'nor after it was configured anew');
  const stop = { id: config.id, pid: again.pid, graceMs: 5_000 };
  assert.deepEqual(await session.request('stop_node', stop), { stopped: true });
});

test('renewed files are read by running nodes when the agent is told; open connections go on', async (t) => {
  const { scene, authority, folder, issue, files, control } = await joinedScene(t);
  const { child, session } = await scene.agent({ credentials: files });
  const config = scene.nodeConfig(0, { tls: true });
  const { pid } = await session.request('create_node', config);
  const engine = scene.connect(config.port, control);
  const client = await engine.command('CLIENT', 'ID');
  const before = await shownSerial(scene, config.port, control);
  await issue();
  assert.equal(await shownSerial(scene, config.port, control), before, 'files alone change nothing at once');
  child.process.kill('SIGHUP');
  await eventually('the new certificate', async () => (await shownSerial(scene, config.port, control)) !== before);
  assert.equal(await engine.command('CLIENT', 'ID'), client, 'the same connection');

  // Files that cannot be used are told, and nobody takes them.
  const renewed = await shownSerial(scene, config.port, control);
  writeFileSync(files.identity, 'nonsense');
  child.process.kill('SIGHUP');
  await eventually('the complaint', async () => /holds no private key/.test(child.errors()));
  assert.equal(await shownSerial(scene, config.port, control), renewed);

  // A second authority is believed first, and then issues; the agent shows what it issued from then on.
  const other = await testAuthority();
  const believed = [authority.certificate, other.certificate];
  const believing = { ...(await other.credentials(CONTROL)), bundle: believed };
  for (const issuer of [authority, other]) {
    const credentials = await issuer.credentials(machine(MACHINE));
    writeTlsFiles(folder, { ...credentials, bundle: believed });
    const serial = new X509Certificate(credentials.certificate).serialNumber;
    child.process.kill('SIGHUP');
    await eventually('its certificate', async () => (await shownSerial(scene, config.port, believing)) === serial);
    assert.equal(await scene.connect(config.port, believing).command('PING'), 'PONG');
  }
  await session.request('stop_node', { id: config.id, pid, graceMs: 5_000 });
  await session.request('start_node', { id: config.id, as: { kind: 'itself' } });
});

test('what needs credentials is refused without them, and a plain node goes on beside', async (t) => {
  const { scene, files, control } = await joinedScene(t);
  const first = await scene.agent();
  assert.equal(first.session.hello.tls, false);
  const plain = scene.nodeConfig(0);
  await first.session.request('create_node', plain);
  const wish = scene.nodeConfig(1, { tls: true });
  await assert.rejects(first.session.request('create_node', wish), valkeeperError('credentials_missing'));
  assert.equal(first.session.nodes.has(wish.id), false);
  await killAndWait(first.child.process.pid!);

  const second = await scene.agent({ credentials: files });
  assert.equal(second.session.nodes.get(plain.id)?.process.state, 'running');
  await second.session.request('create_node', wish);
  assert.equal(await scene.connect(plain.port).command('PING'), 'PONG');
  assert.equal(await scene.connect(wish.port, control).command('PING'), 'PONG');
  await killAndWait(second.child.process.pid!);

  const third = scene.spawnAgent();
  await once(third.process, 'exit');
  assert.match(third.errors(), /speaks TLS, and the agent of m1 was started without credentials/);
});

test('a node whose certificate is not taken says so at its start', { timeout: 60_000 }, async (t) => {
  const { scene, folder } = await joinedScene(t);
  const now = Date.now() - 2 * 3_600_000;
  const lapsed = await (await testAuthority(now)).credentials(machine(MACHINE), { now, validityMs: 3_600_000 });
  const { session } = await scene.agent({ credentials: writeTlsFiles(folder, lapsed) });
  await assert.rejects(
    session.request('create_node', scene.nodeConfig(0, { tls: true })),
    valkeeperError('node_not_started', /expired/),
  );
});

/** No loopback address by its text, so counted among those that others reach; yet the agent's own door opens there. */
const FAR = 'localhost';

test('plain text beyond loopback is refused unless it is meant, also for a single node', async (t) => {
  const { scene, files } = await joinedScene(t);
  const refused = scene.spawnAgent({ address: FAR });
  await once(refused.process, 'exit');
  assert.match(refused.errors(), /What listens at localhost would send data and passwords in clear text/);

  const joined = await scene.agent({ address: FAR, credentials: files });
  await assert.rejects(
    joined.session.request('create_node', scene.nodeConfig(0)),
    valkeeperError('plain_text_refused', /A node of test at localhost/),
  );
  await killAndWait(joined.child.process.pid!);

  const meant = await scene.agent({ address: FAR, plainText: true });
  assert.equal(meant.session.hello.tls, false);
});
