/** A primary that ends at the moment slots have come to it: before its replica has their keys, or before anybody knows. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ADMIN_USER } from '../../src/domain/database.ts';
import { type SlotRange, withoutSlots } from '../../src/domain/slots.ts';
import type { NodeStatus } from '../../src/domain/status.ts';
import { slotOf } from '../../src/proxy/hash-slot.ts';
import { observeNode } from '../../src/valkey/admin.ts';
import { formatNodesConf, isMyself, parseNodesConf } from '../../src/valkey/cluster-nodes.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { slotMigrations } from '../../src/valkey/slot-migrations.ts';
import { killAndWait } from '../support/agent-scene.ts';
import { type Fleet, isSettled, nodesOf, withFleet } from '../support/fleet.ts';
import { adminPasswordOf, nodeFile } from '../support/node-manifest.ts';

const KEYS = 4_000;
/** More in all than lies between two nodes without either knowing of it. */
const VALUE = 'x'.repeat(20_000);

const textOf = (index: number): string => `${index}:${VALUE}`;

async function fill(fleet: Fleet): Promise<void> {
  const client = await fleet.client('big');
  const keys = Array.from({ length: KEYS }, (_, index) => index);
  await Promise.all(keys.map((index) => client.set(`key:${index}`, textOf(index))));
  client.disconnect();
}

async function missing(fleet: Fleet): Promise<number[]> {
  const client = await fleet.client('big');
  try {
    const keys = Array.from({ length: KEYS }, (_, index) => index);
    const values = await Promise.all(keys.map((index) => client.get(`key:${index}`)));
    return keys.filter((index) => values[index] !== textOf(index));
  } finally {
    client.disconnect();
  }
}

function connectionTo(node: NodeStatus): NodeConnection {
  const limits = { connectTimeoutMs: 2_000, commandTimeoutMs: 5_000, maxQueued: 10 };
  const password = adminPasswordOf(node);
  return new NodeConnection({ host: node.host, port: node.port, username: ADMIN_USER, password, ...limits });
}

/** The pair of the shard that is made. */
async function newcomers(fleet: Fleet): Promise<{ target: NodeStatus; replica: NodeStatus }> {
  const { shards } = await fleet.until('big', ({ shards: [, second] }) => second?.replicas[0]?.inSync === true);
  return { target: shards[1]!.primary!, replica: shards[1]!.replicas[0]! };
}

const MOST_MS = 20_000;

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + MOST_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) assert.fail(`${what} was not so after ${MOST_MS} ms`);
    await pause(1);
  }
}

it('loses nothing that was moved to it, of which its replica lacks a part: its log has it', async () => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const shape = ['--shards', '1', '--replicas', '1', '--memory', '512mb', '--durability', 'acknowledged'];
    assert.equal((await fleet.cli('db', 'create', 'big', ...shape)).code, 0);
    await fill(fleet);
    const changed = fleet.cli('db', 'update', 'big', '--shards', '2', '--timeout', '60');
    const { target, replica } = await newcomers(fleet);
    const connection = connectionTo(target);
    await until('a job', async () => (await slotMigrations(connection)).some(({ state }) => state === 'active'));
    process.kill(replica.pid!, 'SIGSTOP');
    await until('that the target owns slots', async () => {
      const self = (await observeNode(connection)).nodes.find(isMyself);
      return (self?.slots.length ?? 0) > 0;
    });
    connection.close();
    await killAndWait(target.pid!);
    process.kill(replica.pid!, 'SIGCONT');

    assert.equal((await changed).code, 0);
    const status = await fleet.until('big', isSettled);
    assert.ok(nodesOf(status).some(({ nodeId, pid }) => nodeId === target.nodeId && pid !== target.pid));
    assert.deepEqual(await missing(fleet), []);
  });
});

/** The agent of a node: its parent. */
const agentOf = ({ pid }: NodeStatus): number =>
  Number(
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) \S /, '')
      .split(' ')[0],
  );

/** What a node leaves that has taken these slots, and ends before it has told anybody. */
function claimOnDisk(path: string, slots: readonly SlotRange[]): void {
  const conf = parseNodesConf(readFileSync(path, 'utf8'))!;
  const currentEpoch = conf.currentEpoch + 1;
  const nodes = conf.nodes.map((node) => {
    if (!isMyself(node)) return { ...node, slots: withoutSlots(node.slots, slots) };
    return { ...node, slots: [...node.slots, ...slots], configEpoch: currentEpoch };
  });
  writeFileSync(path, formatNodesConf({ ...conf, nodes, currentEpoch }));
}

it('takes nothing from a source that has not heard of its claim and goes on serving', async () => {
  await withFleet({ machines: 2 }, async (fleet) => {
    const shape = ['--shards', '1', '--replicas', '0', '--memory', '512mb'];
    assert.equal((await fleet.cli('db', 'create', 'big', ...shape)).code, 0);
    await fill(fleet);
    const changed = fleet.cli('db', 'update', 'big', '--shards', '2', '--timeout', '60');
    const grown = await fleet.until('big', ({ shards: [, second] }) => typeof second?.primary?.pid === 'number');
    const [source, target] = grown.shards.map(({ primary }) => primary!) as [NodeStatus, NodeStatus];
    const connection = connectionTo(target);
    const seen: SlotRange[] = [];
    await until('a job', async () => {
      const job = (await slotMigrations(connection)).find(({ state }) => state === 'active');
      seen.push(...(job?.slots ?? []));
      return job !== undefined;
    });
    connection.close();
    const agent = agentOf(target);
    const nodesConf = nodeFile(target.pid!, 'nodes.conf');
    process.kill(agent, 'SIGSTOP');
    process.kill(target.pid!, 'SIGKILL');
    await pause(300); // what it sent is heard by now
    claimOnDisk(nodesConf, seen);

    const to = connectionTo(source);
    const [first, last] = seen[0]!;
    const written = Array.from({ length: KEYS }, (_, index) => `key:${index}`).filter((key) => {
      const slot = slotOf(Buffer.from(key), 0, key.length);
      return slot >= first && slot <= last;
    });
    for (const key of written) await to.command('APPEND', key, '!');
    to.close();
    process.kill(agent, 'SIGCONT');

    assert.equal((await changed).code, 0);
    await fleet.until('big', isSettled);
    const client = await fleet.client('big');
    const values = await Promise.all(written.map((key) => client.get(key)));
    client.disconnect();
    assert.ok(written.length > 100, String(written.length));
    assert.deepEqual(
      written.filter((key, index) => values[index] !== `${textOf(Number(key.slice('key:'.length)))}!`),
      [],
    );
    assert.equal(
      (await missing(fleet)).length,
      written.length,
      'of those that were not appended to nothing is missing',
    );
  });
});
