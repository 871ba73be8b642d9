/** Nodes of real databases whose files are damaged when their processes end: what Valkeeper makes of it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Cluster } from 'ioredis';
import { ADMIN_USER } from '../../src/domain/database.ts';
import type { DatabaseStatus, NodeStatus } from '../../src/domain/status.ts';
import { myId } from '../../src/valkey/admin.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { killAndWait } from '../support/agent-scene.ts';
import { Fleet, isSettled, nodesOf } from '../support/fleet.ts';
import { adminPasswordOf } from '../support/node-manifest.ts';

const KEYS = 400;
const LOG = 'appendonlydir';

let fleet: Fleet;

before(async () => {
  fleet = await Fleet.start({ machines: 2 });
  const wishes: [name: string, replicas: number, persistence: string][] = [
    ['pair', 1, 'aof'],
    ['single', 0, 'aof'],
    ['snap', 0, 'snapshot'],
  ];
  for (const [name, replicas, persistence] of wishes) {
    const shape = ['--shards', '1', '--replicas', String(replicas), '--persistence', persistence, '--memory', '64mb'];
    const made = await fleet.cli('db', 'create', name, ...shape);
    assert.equal(made.code, 0, made.stderr);
    const client = await fleet.client(name);
    await Promise.all(Array.from({ length: KEYS }, (_, n) => client.set(`key:${n}`, `value ${n}`)));
    if (replicas > 0) assert.equal(await client.nodes('master')[0]!.call('WAIT', '1', '5000'), 1);
    client.disconnect();
  }
});

after(async () => {
  try {
    await fleet.stop();
  } finally {
    await fleet.abandon();
  }
});

/** A database that is well, its two nodes, and where they live. */
async function wellOf(name: string): Promise<{ primary: NodeStatus; replica: NodeStatus | undefined }> {
  const [shard] = (await fleet.until(name, isWell)).shards;
  return { primary: shard!.primary!, replica: shard!.replicas[0] };
}

/** What was cut off is told for a day, and changes nothing. */
const isWell = (status: DatabaseStatus): boolean =>
  isSettled({ ...status, conditions: status.conditions.filter(({ code }) => code !== 'data_cut') });

const folderOf = ({ pid }: NodeStatus): string => readlinkSync(`/proc/${pid}/cwd`);

/** Its files are changed while it can write nothing, and then it ends at once. */
async function endsWith({ pid }: NodeStatus, damage: () => void): Promise<void> {
  process.kill(pid!, 'SIGSTOP');
  damage();
  await killAndWait(pid!);
}

const lastLog = (folder: string): string =>
  join(
    folder,
    LOG,
    readdirSync(join(folder, LOG))
      .filter((name) => name.endsWith('.incr.aof'))
      .sort()
      .at(-1)!,
  );

const cutLogOf = (folder: string) => (): void => truncateSync(lastLog(folder), statSync(lastLog(folder)).size - 5);

async function asAdmin<T>(node: NodeStatus, ask: (connection: NodeConnection) => Promise<T>): Promise<T> {
  const { host, port } = node;
  const times = { connectTimeoutMs: 2_000, commandTimeoutMs: 5_000, maxQueued: 10 };
  const connection = new NodeConnection({
    host,
    port,
    username: ADMIN_USER,
    password: adminPasswordOf(node),
    ...times,
  });
  try {
    return await ask(connection);
  } finally {
    connection.close();
  }
}

async function keysLeft(name: string): Promise<number> {
  const client: Cluster = await fleet.client(name);
  try {
    const values = await Promise.all(Array.from({ length: KEYS }, (_, n) => client.get(`key:${n}`)));
    return values.filter((value, n) => value === `value ${n}`).length;
  } finally {
    client.disconnect();
  }
}

/** Back with another process, and all is well. */
const isBack =
  ({ nodeId, pid }: NodeStatus) =>
  (status: DatabaseStatus): boolean =>
    isWell(status) && nodesOf(status).some((node) => node.nodeId === nodeId && node.pid !== pid);

test('a replica with a damaged log is put aside and copied anew; its nodes.conf was of another node', async () => {
  const { replica, primary } = await wellOf('pair');
  const folder = folderOf(replica!);
  await endsWith(replica!, () => {
    cutLogOf(folder)();
    writeFileSync(join(folder, 'nodes.conf'), readFileSync(join(folderOf(primary), 'nodes.conf')));
  });
  const status = await fleet.until('pair', isBack(replica!));
  assert.equal(status.shards[0]!.primary!.nodeId, primary.nodeId);
  assert.ok(existsSync(join(folder, `${LOG}.damaged`)), 'the damaged log is kept');
  assert.equal(await keysLeft('pair'), KEYS);
});

test('a primary with a damaged log and an empty nodes.conf is replaced, returns as a replica, and nothing is lost', async () => {
  const { primary, replica } = await wellOf('pair');
  const folder = folderOf(primary);
  await endsWith(primary, () => {
    cutLogOf(folder)();
    truncateSync(join(folder, 'nodes.conf'), 0);
  });
  const status = await fleet.until('pair', isBack(primary));
  assert.equal(status.shards[0]!.primary!.nodeId, replica!.nodeId);
  assert.equal(await keysLeft('pair'), KEYS);
});

test('the last copy loses only the end of its log, and is told', async () => {
  const { primary } = await wellOf('single');
  const folder = folderOf(primary);
  await endsWith(primary, () => {
    cutLogOf(folder)();
    truncateSync(join(folder, 'nodes.conf'), 100);
  });
  const status = await fleet.until('single', isBack(primary));
  const cut = status.conditions.find(({ code }) => code === 'data_cut');
  assert.match(cut?.message ?? '', /incr\.aof of .* could not be read: .* were cut off/);
  assert.equal(await keysLeft('single'), KEYS - 1);
});

test('the last copy is not started from a damaged snapshot, until a whole one is put in its place', async () => {
  const { primary } = await wellOf('snap');
  const path = join(folderOf(primary), 'dump.rdb');
  await asAdmin(primary, (node) => node.command('SAVE'));
  const whole = readFileSync(path);
  await endsWith(primary, () => truncateSync(path, 500));
  const isTold = ({ conditions }: DatabaseStatus): boolean => conditions.some(({ code }) => code === 'data_damaged');
  const damaged = await fleet.until('snap', isTold);
  assert.equal(damaged.shards[0]!.primary, null);
  assert.match(damaged.conditions.find(({ code }) => code === 'data_damaged')!.message, /from dump\.rdb/);
  assert.equal(statSync(path).size, 500, 'left as it was');
  writeFileSync(path, whole);
  await fleet.until('snap', isBack(primary));
  assert.equal(await keysLeft('snap'), KEYS);
});

test('a node that has become another is never met, attached or promoted, by any agent; ended, it returns as itself', async () => {
  const { primary, replica } = await wellOf('pair');
  await asAdmin(replica!, (node) => node.command('CLUSTER', 'RESET', 'HARD'));
  const strangerId = await asAdmin(replica!, myId);
  assert.notEqual(strangerId, replica!.nodeId);
  const isLeftOut = ({ conditions }: DatabaseStatus): boolean =>
    conditions.some(({ code, node }) => code === 'identity_changed' && node === replica!.nodeId);
  await fleet.until('pair', isLeftOut);

  // The next agent adopts the process, whatever it calls itself.
  await restartAgent(replica!);
  const since = Date.now();
  await fleet.until('pair', (status) => isLeftOut(status) && Date.now() - since > 3_000);
  const known = await asAdmin(replica!, (node) => node.command('CLUSTER', 'NODES'));
  assert.equal(String(known).trim().split('\n').length, 1, `it knows nobody: ${known}`);
  const seen = String(await asAdmin(primary, (node) => node.command('CLUSTER', 'NODES')));
  assert.ok(seen.includes(primary.nodeId) && !seen.includes(strangerId), `and is known to nobody: ${seen}`);

  await killAndWait(replica!.pid!);
  await fleet.until('pair', isBack(replica!));
  assert.equal(await keysLeft('pair'), KEYS);
});

/** Its nodes go on, and the fleet starts it again. */
async function restartAgent({ pid }: NodeStatus): Promise<void> {
  const folder = readlinkSync(`/proc/${pid}/cwd`);
  const { pid: agent } = JSON.parse(readFileSync(join(folder, '..', '..', 'agent.json'), 'utf8')) as { pid: number };
  await killAndWait(agent);
}
