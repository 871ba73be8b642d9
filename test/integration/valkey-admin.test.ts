/** The admin commands against real nodes: what each really does, and what one observation tells. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import * as admin from '../../src/valkey/admin.ts';
import { clientCallsOf } from '../../src/valkey/client-calls.ts';
import { isMyself } from '../../src/valkey/cluster-nodes.ts';
import { EngineReplyError, NodeConnection } from '../../src/valkey/connection.ts';
import { readiness, slotMigrations } from '../../src/valkey/slot-migrations.ts';
import { slotStats } from '../../src/valkey/slot-stats.ts';
import { type RunningEngine, startEngine } from '../support/start-engine.ts';

const CONDITION_TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 20;

/** Polls until it holds; fails with what it was last. */
async function until<T>(what: string, ask: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + CONDITION_TIMEOUT_MS;
  for (;;) {
    const seen = await ask();
    if (holds(seen)) return seen;
    assert.ok(performance.now() < deadline, `${what}; last seen: ${JSON.stringify(seen)}`);
    await pause(POLL_INTERVAL_MS);
  }
}

interface TestNode {
  engine: RunningEngine;
  node: NodeConnection;
}

async function startNode(t: TestContext, args: readonly string[] = []): Promise<TestNode> {
  const cluster = [
    '--cluster-enabled',
    'yes',
    '--cluster-databases',
    '4',
    '--repl-diskless-sync-delay',
    '0',
    '--rdbcompression',
    'no',
  ];
  const engine = await startEngine(t, { args: [...cluster, ...args] });
  const { host, port } = engine;
  const node = new NodeConnection({ host, port, connectTimeoutMs: 2_000, commandTimeoutMs: 5_000, maxQueued: 100 });
  t.after(() => node.close());
  return { engine, node };
}

const roleIs = (node: NodeConnection, role: 'primary' | 'replica'): Promise<unknown> =>
  until(
    `it becomes a ${role}`,
    () => admin.role(node),
    (seen) => seen.role === role,
  );

const refused = (text: string) => (error: unknown) => error instanceof EngineReplyError && error.message.includes(text);

describe('one node', () => {
  it('tells what clients had it carry out, without what it is looked after by', async (t) => {
    const { node } = await startNode(t);
    await admin.addSlotsRanges(node, [[0, 16_383]]);
    await until(
      'it serves',
      () => admin.observeNode(node),
      (seen) => seen.clusterOk,
    );
    const before = await clientCallsOf(node);
    await admin.observeNode(node);
    await readiness(node);
    await slotMigrations(node);
    await slotStats(node, [[0, 16_383]]);
    await node.pipeline([['PING'], ['CLUSTER', 'SLOTS'], ['CLIENT', 'LIST'], ['CONFIG', 'GET', 'maxmemory']]);
    assert.equal(await clientCallsOf(node), before);
    await node.pipeline([
      ['SET', 'a', '1'],
      ['GET', 'a'],
      ['PUBLISH', 'here', 'there'],
      ['EVAL', 'return 1', 0],
    ]);
    assert.equal(await clientCallsOf(node), before + 4);
    assert.equal((await readiness(node)).clientCalls, before + 4);
  });

  it('is observed in one round trip', async (t) => {
    const { node, engine } = await startNode(t);
    await admin.setConfigEpoch(node, 7);
    await admin.addSlotsRanges(node, [
      [0, 99],
      [200, 16383],
    ]);
    const seen = await until(
      'it serves',
      () => admin.observeNode(node),
      ({ clusterOk, slotsOk }) => !clusterOk && slotsOk > 0,
    );
    assert.equal(seen.id, await admin.myId(node));
    assert.equal(seen.slotsOk, 16_284);
    assert.equal(seen.currentEpoch, 7);
    assert.equal(seen.loading, false);
    assert.equal(seen.keys, 0);
    assert.ok(seen.usedMemoryBytes > 100_000);
    assert.equal(seen.replication.role, 'primary');
    assert.deepEqual(seen.replication.replicas, []);
    const [myself, ...others] = seen.nodes;
    assert.ok(myself && isMyself(myself));
    assert.deepEqual(others, []);
    assert.deepEqual(myself.slots, [
      [0, 99],
      [200, 16383],
    ]);
    assert.equal(myself.port, engine.port);
    assert.equal(myself.configEpoch, 7);
  });

  it('is observed while it loads', async (t) => {
    const { node, engine } = await startNode(t);
    await admin.addSlotsRanges(node, [[0, 16383]]);
    await until(
      'it serves',
      () => admin.observeNode(node),
      ({ clusterOk }) => clusterOk,
    );
    const keys = Array.from({ length: 80 }, (_, index) => ['SET', `key:${index}`, 'x'.repeat(1_000)]);
    await node.pipeline(keys);
    await admin.shutdown(node, 'save');
    const slowly = ['--key-load-delay', '100000', '--loading-process-events-interval-bytes', '1024'];
    const again = await startNode(t, ['--dir', engine.dir, ...slowly]);
    const seen = await admin.observeNode(again.node);
    assert.equal(seen.loading, true);
    assert.deepEqual(seen.nodes.find(isMyself)?.slots, [[0, 16383]]);
  });

  it('takes several settings at once or none', async (t) => {
    const { node } = await startNode(t);
    const setting = async (name: string): Promise<unknown> =>
      ((await node.command('CONFIG', 'GET', name)) as string[])[1];
    await admin.configSet(node, { maxmemory: '12345678', 'maxmemory-policy': 'allkeys-lru' });
    assert.equal(await setting('maxmemory'), '12345678');
    await assert.rejects(admin.configSet(node, { maxmemory: '0', 'maxmemory-policy': 'nonsense' }), EngineReplyError);
    assert.equal(await setting('maxmemory'), '12345678');
    assert.equal(await setting('maxmemory-policy'), 'allkeys-lru');
  });

  it('counts as having forgotten whom it never knew', async (t) => {
    const { node } = await startNode(t);
    await admin.forget(node, 'a'.repeat(40));
    await assert.rejects(admin.forget(node, await admin.myId(node)), refused('forget myself'));
  });

  it('is shut down', async (t) => {
    const { node } = await startNode(t);
    await admin.shutdown(node, 'nosave');
    await assert.rejects(node.command('PING'), { reason: 'refused' });
  });
});

describe('a shard', () => {
  it('is made, switched over and taken apart', async (t) => {
    const [one, two] = await Promise.all([startNode(t), startNode(t)]);
    const [oneId, twoId] = await Promise.all([admin.myId(one.node), admin.myId(two.node)]);
    await admin.addSlotsRanges(one.node, [[0, 16383]]);
    await admin.clusterMeet(one.node, two.engine.host, two.engine.port, two.engine.port + 10_000);
    await until(
      'they know each other',
      () => admin.observeNode(two.node),
      ({ nodes }) => nodes.some(({ id, slots }) => id === oneId && slots.length === 1),
    );
    await assert.rejects(admin.setConfigEpoch(one.node, 3), EngineReplyError, 'it knows another node');
    await admin.replicate(two.node, oneId);
    await until(
      'it is in sync',
      () => admin.observeNode(two.node),
      ({ replication }) => replication.linkUp,
    );

    await until(
      'it serves',
      () => admin.observeNode(one.node),
      ({ clusterOk }) => clusterOk,
    );
    await one.node.pipeline([
      ['SET', 'key', 'value'],
      ['SELECT', '3'],
      ['SET', 'key', 'value'],
      ['SELECT', '0'],
    ]);
    await one.node.command('SET', 'other', 'value');
    assert.equal(await admin.waitReplicas(one.node, 1, 4_000), 1);
    assert.equal(await admin.probeReplication(one.node, 'probe', 4_000), 1);
    await assert.rejects(
      admin.probeReplication(two.node, 'probe', 100),
      refused('MOVED'),
      'only a primary takes writes',
    );
    await assert.rejects(admin.waitReplicas(one.node, 1, 5_000), RangeError, 'longer than a command may take');

    const [primary, replica] = await Promise.all([admin.observeNode(one.node), admin.observeNode(two.node)]);
    assert.equal(primary.keys, 3, 'in all databases');
    assert.equal(replica.keys, 3);
    assert.equal(replica.replication.role, 'replica');
    assert.deepEqual(replica.nodes.find(isMyself)?.primaryId, oneId);
    assert.ok(replica.replication.offset > 0 && replica.replication.offset <= primary.replication.offset);
    const [link, ...more] = primary.replication.replicas;
    assert.deepEqual(more, []);
    assert.equal(link?.host, two.engine.host);
    assert.equal(link.port, two.engine.port);
    assert.equal(link.state, 'online');

    await assert.rejects(admin.failover(one.node, 'coordinated'), refused('replica'), 'it is the primary');
    await admin.failover(two.node, 'takeover');
    await roleIs(two.node, 'primary');
    await roleIs(one.node, 'replica');

    await admin.reset(one.node, 'soft');
    await roleIs(one.node, 'primary');
    assert.equal(await admin.myId(one.node), oneId);
    await admin.forget(two.node, oneId);
    const alone = await admin.observeNode(two.node);
    assert.deepEqual(
      alone.nodes.map(({ id }) => id),
      [twoId],
    );
    assert.deepEqual(alone.nodes[0]?.slots, [[0, 16383]]);
    await admin.reset(one.node, 'hard');
    assert.notEqual(await admin.myId(one.node), oneId);
    await assert.rejects(admin.reset(two.node, 'hard'), refused('keys'));
  });
});

it('takes over in the middle of a job, and leaves no trace of it in the log, which is carried out at every start', async (t) => {
  const start = () => startNode(t, ['--appendonly', 'yes']);
  const [source, target, replica] = await Promise.all([start(), start(), start()]);
  const all = [source, target, replica];
  await admin.addSlotsRanges(source.node, [[0, 16_383]]);
  for (const one of all) {
    for (const { engine } of all) {
      if (engine !== one.engine) await admin.clusterMeet(one.node, engine.host, engine.port, engine.port + 10_000);
    }
  }
  const links = async (): Promise<string[]> =>
    (await Promise.all(all.map(({ node }) => admin.observeNode(node)))).flatMap(({ nodes }) =>
      nodes.map(({ flags, linkState }) => (flags.includes('handshake') ? 'handshake' : linkState)),
    );
  const areUp = (seen: string[]): boolean => seen.length === 9 && seen.every((state) => state === 'connected');
  await until('all know each other', links, areUp);
  const targetId = await admin.myId(target.node);
  await admin.replicate(replica.node, targetId);
  const replicas = async () => (await admin.observeNode(target.node)).replication.replicas;
  await until('it has a replica', replicas, ([link]) => link?.state === 'online');

  const serves = async () => (await admin.observeNode(source.node)).clusterOk;
  await until('the source serves', serves, (isOk) => isOk);
  const fill = `for number = 1, 4000 do redis.call('SET', 'key:' .. number, string.rep('x', 500)) end`;
  await source.node.command('EVAL', `#!lua flags=allow-cross-slot-keys\n${fill}`, 0);
  await admin.configSet(source.node, { 'rdb-key-save-delay': '1000' }); // so that the job lasts
  await source.node.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', 0, 16_000, 'NODE', targetId);
  const offset = async () => (await admin.observeNode(replica.node)).replication.offset;
  await until('some of its keys are at the replica', offset, (seen) => seen > 100_000);
  await target.engine.stop();
  await admin.failover(replica.node, 'takeover');
  await roleIs(replica.node, 'primary');
  assert.match(String(await replica.node.command('CLUSTER', 'GETSLOTMIGRATIONS')), /failed/, 'it was under way');
  const logs = globSync(join(replica.engine.dir, 'appendonlydir', '*.incr.aof'));
  assert.ok(logs.length > 0);
  for (const log of logs) assert.doesNotMatch(readFileSync(log, 'latin1'), /TAKEOVER/);
});
