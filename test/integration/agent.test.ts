/** The agent with real processes: it starts, watches, reports, adopts and removes nodes, and survives what it meets. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { WHOLE_FILES } from '../../src/domain/view.ts';
import { startTimeOf } from '../../src/platform/process-identity.ts';
import type { NodeReport } from '../../src/protocol/agent-messages.ts';
import { type AgentScene, agentScene, eventually, killAndWait } from '../support/agent-scene.ts';
import { valkeeperError } from '../support/errors.ts';
import type { FakeSession } from '../support/fake-control.ts';
import { processesUnder } from '../support/leaks.ts';

/** A failsafe for what takes a few milliseconds on an idle machine. */
const PROMPT_MS = 2_000;

const exited =
  (id: string) =>
  (nodes: ReadonlyMap<string, NodeReport>): boolean =>
    nodes.get(id)?.process.state === 'exited';

const engines = (scene: AgentScene) =>
  processesUnder(scene.dir).filter(({ command }) => /^\S*valkey-server /.test(command));

/** Kills the node. @returns milliseconds until the control plane was told */
async function killNode(session: FakeSession, id: string, pid: number): Promise<number> {
  const killedAt = performance.now();
  process.kill(pid, 'SIGKILL');
  return (await session.until('the report of its exit', exited(id))) - killedAt;
}

/** Somebody else's server, which never says a word. */
async function listenSilently(scene: AgentScene, port: number): Promise<void> {
  const callers = new Set<Socket>();
  const server = createServer((socket) => callers.add(socket.on('error', () => {}))).listen(port, scene.address);
  await once(server, 'listening');
  scene.onClear(async () => {
    for (const socket of callers) socket.destroy();
    server.close();
    await once(server, 'close');
  });
}

test('a node is created, dies, is started again and is removed', async (t) => {
  const scene = await agentScene(t);
  const { session } = await scene.agent();
  assert.deepEqual(session.hello.nodes, []);
  const config = scene.nodeConfig(0);

  const { pid } = await session.request('create_node', config);
  assert.equal(String(await scene.connect(config.port).command('CLUSTER', 'MYID')), config.id);
  assert.deepEqual(session.nodes.get(config.id)?.process, { state: 'running', pid });
  assert.deepEqual(await session.request('create_node', config), { pid }, 'repeating it is harmless');
  for (const file of ['node.json', 'valkey.conf', 'users.acl']) {
    assert.equal(statSync(join(scene.nodeDir(config.id), file)).mode & 0o777, 0o600, file);
  }
  assert.equal(statSync(scene.dir).mode & 0o777, 0o700);
  const [, , , ownSession] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  assert.equal(Number(ownSession), pid, 'a session of its own: a Ctrl-C on the terminal does not reach it');

  const tookMs = await killNode(session, config.id, pid);
  t.diagnostic(`kill -9 of a child until reported: ${tookMs.toFixed(1)} ms`);
  assert.ok(tookMs < PROMPT_MS);
  const report = session.nodes.get(config.id)!;
  assert.equal(report.process.state === 'exited' && report.process.how, 'died');
  assert.equal(report.disk.hasData, false);

  const again = await session.request('start_node', { id: config.id, as: { kind: 'itself' } });
  assert.notEqual(again.pid, pid);
  assert.deepEqual(await session.request('start_node', { id: config.id, as: { kind: 'itself' } }), again);
  assert.equal(engines(scene).length, 1);

  const remove = { id: config.id, databaseUid: config.databaseUid };
  await assert.rejects(session.request('remove_node', { ...remove, databaseUid: 'x' }), valkeeperError('foreign_node'));
  await session.request('remove_node', remove);
  await session.request('remove_node', remove);
  assert.equal(session.nodes.has(config.id), false);
  assert.deepEqual(readdirSync(join(scene.dir, 'nodes')), []);
  assert.deepEqual(engines(scene), []);
});

test('many requests for one node at once leave one process; different nodes do not wait for each other', async (t) => {
  const scene = await agentScene(t);
  const { session } = await scene.agent();
  const config = scene.nodeConfig(0);
  const answers = await Promise.all([1, 2, 3].map(() => session.request('create_node', config)));
  assert.equal(new Set(answers.map(({ pid }) => pid)).size, 1);
  const others = await Promise.all([1, 2].map((index) => session.request('create_node', scene.nodeConfig(index))));
  assert.equal(engines(scene).length, 1 + others.length);
});

test('kill -9 of the agent leaves nodes serving; the next agent adopts them and sees their end', async (t) => {
  const scene = await agentScene(t);
  const first = await scene.agent();
  const configs = [0, 1, 2].map((index) => scene.nodeConfig(index));
  const pids: number[] = [];
  for (const config of configs) pids.push((await first.session.request('create_node', config)).pid);
  const [served, hung, died] = configs.map(({ id }) => id) as [string, string, string];

  await killAndWait(first.child.process.pid!);
  assert.equal(String(await scene.connect(7000).command('PING')), 'PONG');
  process.kill(pids[1]!, 'SIGSTOP'); // too busy to answer: judged by its process alone
  await killAndWait(pids[2]!);

  const { session } = await scene.agent();
  const told = new Map(session.hello.nodes.map(({ id, process }) => [id, process]));
  assert.deepEqual(told.get(served), { state: 'running', pid: pids[0] });
  assert.deepEqual(told.get(hung), { state: 'running', pid: pids[1] });
  assert.equal(told.get(died)?.state, 'exited');
  assert.equal(engines(scene).length, 2);

  process.kill(pids[1]!, 'SIGCONT');
  for (const [index, id] of [served, hung].entries()) {
    const tookMs = await killNode(session, id, pids[index]!);
    t.diagnostic(`kill -9 of an adopted process until reported: ${tookMs.toFixed(1)} ms`);
    assert.ok(tookMs < PROMPT_MS);
    // Reported means gone: nothing of it holds the port or the lock on nodes.conf any more.
    await session.request('start_node', { id, as: { kind: 'itself' } });
  }
});

test('a process that the manifest missed is found by its folder', async (t) => {
  const scene = await agentScene(t);
  const first = await scene.agent();
  const config = scene.nodeConfig(0);
  const { pid } = await first.session.request('create_node', config);
  await killAndWait(first.child.process.pid!);
  const path = join(scene.nodeDir(config.id), 'node.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), process: null, lastExit: null }));

  const { session } = await scene.agent();
  assert.deepEqual(session.nodes.get(config.id)?.process, { state: 'running', pid });
});

test("another process's number is not mistaken for the node", async (t) => {
  const scene = await agentScene(t);
  const first = await scene.agent();
  const config = scene.nodeConfig(0);
  const { pid } = await first.session.request('create_node', config);
  await killAndWait(first.child.process.pid!);
  await killAndWait(pid);
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  scene.onClear(() => killAndWait(stranger.pid!));

  const path = join(scene.nodeDir(config.id), 'node.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  const strangers = [
    { ...manifest.process, pid: stranger.pid }, // the number was given again
    { ...manifest.process, pid: stranger.pid, startTime: startTimeOf(stranger.pid!) }, // even with its start time
  ];
  for (const process of strangers) {
    writeFileSync(path, JSON.stringify({ ...manifest, process }));
    const { child, session } = await scene.agent();
    assert.equal(session.nodes.get(config.id)?.process.state, 'exited');
    await killAndWait(child.process.pid!);
  }
  const { session } = await scene.agent();
  await session.request('remove_node', { id: config.id, databaseUid: config.databaseUid });
  assert.notEqual(startTimeOf(stranger.pid!), null, 'the stranger lives');
});

test('an exit keeps its reason over a restart of the agent', async (t) => {
  const scene = await agentScene(t);
  const first = await scene.agent();
  const config = scene.nodeConfig(0);
  await first.session.request('create_node', config);
  const ended = once(first.child.process, 'exit');
  await first.session.request('shut_down', { graceMs: 5_000 });
  assert.equal((await ended)[0], 0, 'ended as shut down');
  assert.deepEqual(engines(scene), []);

  const { session } = await scene.agent();
  const { process } = session.nodes.get(config.id)!;
  assert.equal(process.state === 'exited' && process.how, 'stopped');
});

test('a node that ignores SIGTERM is ended by force when the grace is over', async (t) => {
  const scene = await agentScene(t);
  const { child, session } = await scene.agent();
  const { pid } = await session.request('create_node', scene.nodeConfig(0));
  process.kill(pid, 'SIGSTOP');
  const ended = once(child.process, 'exit');
  await session.request('shut_down', { graceMs: 0 });
  assert.equal(startTimeOf(pid), null, 'gone when the reply comes, though there was no grace');
  await ended;
});

test('a terminated agent detaches: its node goes on', async (t) => {
  const scene = await agentScene(t);
  const { child, session } = await scene.agent();
  await session.request('create_node', scene.nodeConfig(0));
  const ended = once(child.process, 'exit');
  child.process.kill('SIGTERM');
  assert.equal((await ended)[0], 3, 'ended as detached');
  assert.equal(existsSync(join(scene.dir, 'agent.json')), false);
  assert.equal(String(await scene.connect(7000).command('PING')), 'PONG');
});

test('a second agent on the folder is refused', async (t) => {
  const scene = await agentScene(t);
  const { child } = await scene.agent();
  const second = scene.spawnAgent();
  await once(second.process, 'exit');
  assert.match(second.errors(), new RegExp(`runs already in .*, as process ${child.process.pid}`));
});

test('a taken port is named, whoever has it, and nothing is left', async (t) => {
  const scene = await agentScene(t);
  const { session } = await scene.agent();
  await session.request('create_node', scene.nodeConfig(0));
  for (const port of [7002, 17003]) await listenSilently(scene, port);
  // A node of the same database has the same password and answers as if it were the new one.
  for (const [index, port] of [
    [1, 7000],
    [2, 7002],
    [3, 7003],
  ] as const) {
    const config = scene.nodeConfig(index, { port });
    await assert.rejects(
      session.request('create_node', config),
      valkeeperError('port_taken', new RegExp(`Port ${port} of ${scene.address} on m1`)),
    );
    assert.equal(existsSync(scene.nodeDir(config.id)), false);
    assert.equal(session.nodes.has(config.id), false);
  }
  assert.equal(engines(scene).length, 1);
  const { ports } = await session.request('free_ports', { count: 2, avoid: [7001] });
  assert.deepEqual(ports, [7004, 7005]);
});

test('an engine that fails at its start gives its reason, and the agent goes on', async (t) => {
  const scene = await agentScene(t);
  const { child, session } = await scene.agent();
  for (let round = 0; round < 5; round += 1) {
    const bad = scene.nodeConfig(0, { directives: [['maxmemory', 'lots']] });
    await assert.rejects(
      session.request('create_node', bad),
      valkeeperError('node_not_started', /maxmemory "lots"[\s\S]*argument must be a memory value/),
    );
    assert.equal(existsSync(scene.nodeDir(bad.id)), false);
  }
  const injected = scene.nodeConfig(0, { directives: [['maxmemory', '1mb\nport 1']] });
  await assert.rejects(session.request('create_node', injected), valkeeperError('invalid_value', /one line/));
  await session.request('create_node', scene.nodeConfig(0));
  assert.equal(child.process.exitCode, null);
  assert.equal(child.errors(), '');
});

test('an engine that is not there or cannot be run is named', async (t) => {
  const scene = await agentScene(t);
  const notAProgram = join(scene.dir, 'engine');
  writeFileSync(notAProgram, 'x', { mode: 0o600 });
  for (const enginePath of [join(scene.dir, 'none'), notAProgram]) {
    const { child, session } = await scene.agent({ enginePath });
    const config = scene.nodeConfig(0);
    await assert.rejects(session.request('create_node', config), valkeeperError('node_not_started', /ENOENT|EACCES/));
    assert.equal(existsSync(scene.nodeDir(config.id)), false);
    assert.equal(child.errors(), '');
    await killAndWait(child.process.pid!);
  }
});

test('requests that are wrong get an error each, and the agent goes on', async (t) => {
  const scene = await agentScene(t);
  const { child, session } = await scene.agent();
  const wrong: [string, unknown, string][] = [
    ['fly', {}, 'unknown_operation'],
    ['toString', {}, 'unknown_operation'],
    ['start_node', { id: 'f'.repeat(40), as: { kind: 'itself' } }, 'node_not_found'],
    ['read_log', { id: 'f'.repeat(40), lines: 1 }, 'node_not_found'],
    ['start_node', null, 'invalid_value'],
    ['create_node', {}, 'invalid_value'],
    ['create_node', { ...scene.nodeConfig(0), id: '../../escaped' }, 'invalid_value'],
    ['create_node', { ...scene.nodeConfig(0), port: '7000' }, 'invalid_value'],
    ['free_ports', { count: 'many', avoid: [] }, 'invalid_value'],
    ['read_log', { id: null, lines: -1 }, 'invalid_value'],
  ];
  for (const [operation, args, code] of wrong) {
    const request = session.request(operation as 'read_log', args as never);
    await assert.rejects(request, valkeeperError(code as 'invalid_value'), `${operation} ${JSON.stringify(args)}`);
  }
  assert.match((await session.request('read_log', { id: null, lines: 50 })).text, /A request failed/);
  session.sendText('not JSON');
  await session.ended;
  await scene.control.agent('m1');
  assert.equal(child.process.exitCode, null);
});

test('one damaged, strange or changed folder does not keep the agent from the others', async (t) => {
  const scene = await agentScene(t);
  const first = await scene.agent();
  const good = scene.nodeConfig(0);
  const changed = scene.nodeConfig(1);
  const { pid } = await first.session.request('create_node', good);
  const other = await first.session.request('create_node', changed);
  await killAndWait(first.child.process.pid!);
  mkdirSync(join(scene.dir, 'nodes', 'lost+found'));
  mkdirSync(join(scene.dir, 'nodes', `.new-${'e'.repeat(40)}`));
  await scene.connect(changed.port).command('CLUSTER', 'RESET', 'HARD'); // it now calls itself something else

  const { session } = await scene.agent();
  assert.deepEqual(session.nodes.get(good.id)?.process, { state: 'running', pid });
  assert.deepEqual(session.nodes.get(changed.id)?.process, { state: 'running', pid: other.pid });
  assert.equal(session.nodes.size, 2);
  assert.deepEqual(readdirSync(join(scene.dir, 'nodes')).sort(), [good.id, changed.id, 'lost+found'].sort());
});

test('a node that has lost its identity is not started as itself', async (t) => {
  const scene = await agentScene(t);
  const { session } = await scene.agent();
  const config = scene.nodeConfig(0);
  const { pid } = await session.request('create_node', config);
  await killNode(session, config.id, pid);
  for (const text of ['', 'torn', scene.nodeConfig(1).nodesConf]) {
    writeFileSync(join(scene.nodeDir(config.id), 'nodes.conf'), text);
    rmSync(join(scene.nodeDir(config.id), 'nodes.conf.copy'), { force: true }); // of what is damaged none is made again
    const start = session.request('start_node', { id: config.id, as: { kind: 'itself' } });
    await assert.rejects(start, valkeeperError('node_identity_lost', /nodes\.conf/));
    assert.deepEqual(engines(scene), []);
  }
});

test('the control plane goes and comes back: the agent tells the present, its nodes do not notice', async (t) => {
  const scene = await agentScene(t);
  const { session } = await scene.agent();
  const config = scene.nodeConfig(0);
  const { pid } = await session.request('create_node', config);
  session.cut();
  process.kill(pid, 'SIGKILL'); // unseen by the control plane
  const next = await scene.control.agent('m1');
  await next.until('the report of its exit', exited(config.id));
  assert.deepEqual(
    next.hello.nodes.map(({ id }) => id),
    [config.id],
  );
});

test('what lies on the disk is told after an exit', async (t) => {
  const scene = await agentScene(t);
  const { session } = await scene.agent();
  const directives = [...scene.nodeConfig(0).directives.filter(([name]) => name !== 'appendonly')];
  const config = scene.nodeConfig(0, { directives: [...directives, ['appendonly', 'yes'], ['appendfsync', 'always']] });
  const { pid } = await session.request('create_node', config);
  const connection = scene.connect(config.port);
  await connection.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
  await killNode(session, config.id, pid);
  const { disk } = session.nodes.get(config.id)!;
  assert.deepEqual([disk.settings?.['appendonly'], disk.settings?.['appendfsync']], ['yes', 'always']);
  assert.deepEqual(disk, {
    hasData: false,
    dataAt: disk.dataAt,
    ...WHOLE_FILES,
    settings: disk.settings,
    aclMark: null,
    claim: { role: 'primary', primaryId: null, slots: [[0, 16383]], configEpoch: 0 },
  });

  const again = await session.request('start_node', { id: config.id, as: { kind: 'itself' } });
  await eventually(
    'an accepted write',
    async () => (await connection.command('SET', 'k', 'v').catch(() => '')) === 'OK',
  );
  await killNode(session, config.id, again.pid);
  assert.equal(session.nodes.get(config.id)?.disk.hasData, true);
});

test('a folder that cannot be written is named and nothing is left', async (t) => {
  const scene = await agentScene(t);
  const { session } = await scene.agent();
  const nodes = join(scene.dir, 'nodes');
  rmdirSync(nodes);
  writeFileSync(nodes, ''); // a file in the folder's place stops root, too
  const config = scene.nodeConfig(0);
  await assert.rejects(session.request('create_node', config), valkeeperError('file_unusable', /Cannot write .*nodes/));
  assert.equal(session.nodes.has(config.id), false);
  unlinkSync(nodes);
  await session.request('create_node', config);
});
