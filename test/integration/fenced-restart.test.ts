/** The fenced restart on real engines: a killed primary comes back as the replica of its successor, losing nothing. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeConfig } from '../../src/control/node-config.ts';
import { BUS_PORT_OFFSET, type Database, type NodeAssignment } from '../../src/domain/database.ts';
import { placeholderOf } from '../../src/domain/ids.ts';
import { SLOT_COUNT, splitEvenly } from '../../src/domain/slots.ts';
import { DEFAULT_SPEC } from '../../src/domain/spec.ts';
import type { StartAs } from '../../src/domain/start-as.ts';
import { monotonicClock } from '../../src/platform/clock.ts';
import * as admin from '../../src/valkey/admin.ts';
import { isMyself } from '../../src/valkey/cluster-nodes.ts';
import type { NodeConnection } from '../../src/valkey/connection.ts';
import { promote } from '../../src/valkey/promotion.ts';
import { ADMIN_PASSWORD, type AgentScene, agentScene, eventually } from '../support/agent-scene.ts';
import type { FakeSession } from '../support/fake-control.ts';

const KEYS = 300;
const MOST_TRIES = 8;

interface Cluster {
  scene: AgentScene;
  session: FakeSession;
  nodes: NodeAssignment[];
  connections: Map<string, NodeConnection>;
}

/** A database without persistence: whatever comes back empty would be seen. */
function databaseOf(scene: AgentScene, shards: number): Database {
  const nodes = splitEvenly(shards).flatMap((slots, shard) =>
    [0, 1].map((copy): NodeAssignment => {
      const { id, port } = scene.nodeConfig(shard * 2 + copy);
      const birth = copy === 0 ? ({ role: 'primary', slots: [slots] } as const) : ({ role: 'replica' } as const);
      return { id, port, shard: `shard-${shard + 1}`, machine: 'm1', host: scene.address, tls: false, birth };
    }),
  );
  return {
    name: 'test',
    uid: 'uid-1',
    spec: { ...DEFAULT_SPEC, shards, persistence: 'none' },
    generation: 1,
    observedGeneration: 0,
    wantedPrimaries: {},
    overridden: {},
    reshard: null,
    restore: null,
    retired: [],
    createdAt: '2026-01-01T00:00:00.000Z',
    deleting: false,
    secrets: { password: null, adminPassword: ADMIN_PASSWORD, users: {} },
    aclMark: '',
    nodes,
  };
}

/** Born, met, attached and in sync. */
async function cluster(scene: AgentScene, session: FakeSession, shards: number): Promise<Cluster> {
  const database = databaseOf(scene, shards);
  const { nodes } = database;
  await Promise.all(nodes.map((node) => session.request('create_node', nodeConfig(database, node, node.birth.role))));
  const connections = new Map(nodes.map(({ id, port }) => [id, scene.connect(port)]));
  for (const { id } of nodes.filter(({ birth }) => birth.role === 'primary')) {
    await admin.failover(connections.get(id)!, 'takeover');
    await roleBecomes(connections.get(id)!, 'primary');
    await admin.forget(connections.get(id)!, placeholderOf(id));
  }
  for (const { id } of nodes) {
    const others = nodes.filter((other) => other.id !== id);
    for (const { host, port } of others) {
      await admin.clusterMeet(connections.get(id)!, host, port, port + BUS_PORT_OFFSET);
    }
  }
  for (const { id } of nodes) {
    await eventually(
      'all have met',
      async () => (await admin.observeNode(connections.get(id)!)).nodes.length === nodes.length,
    );
  }
  for (const [index, { id, birth }] of nodes.entries()) {
    if (birth.role === 'primary') continue;
    const primary = nodes[index - 1]!.id;
    await eventually('a replica attached', async () => {
      await admin.replicate(connections.get(id)!, primary).catch(() => {}); // until it knows that the other is a primary
      return (await admin.observeNode(connections.get(id)!)).replication.linkUp;
    });
  }
  const all = { scene, session, nodes, connections };
  await settled(all);
  return all;
}

const roleBecomes = (node: NodeConnection, wanted: 'primary' | 'replica'): Promise<void> =>
  eventually(`a ${wanted}`, async () => (await admin.role(node)).role === wanted);

/** On a machine that is busy a vote may come too late; it is asked for again then, as the planner does. */
async function promoted(node: NodeConnection, mode: 'force' | 'takeover'): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    if ((await promote(monotonicClock, node, mode)).result === 'done') return;
  }
  assert.fail(`it was not promoted, ${MOST_TRIES} times`);
}

/** Every node sees all slots served and no one failed. */
async function settled({ connections, nodes }: Cluster): Promise<void> {
  for (const connection of connections.values()) {
    await eventually('a settled cluster', async () => {
      const seen = await admin.observeNode(connection);
      const failed = seen.nodes.some(({ flags }) => flags.some((flag) => flag.startsWith('fail')));
      return seen.clusterOk && seen.slotsOk === SLOT_COUNT && seen.nodes.length === nodes.length && !failed;
    });
  }
}

/** Writes keys of the first shard and waits until its replica has them. */
async function fill(primary: NodeConnection, round: number): Promise<string[]> {
  const keys: string[] = [];
  for (let n = 0; keys.length < KEYS; n += 1) {
    const reply = await primary.command('SET', `${round}:${n}`, `value ${n}`).catch(() => null);
    if (reply === 'OK') keys.push(`${round}:${n}`); // the others belong to other shards
  }
  assert.equal(await primary.command('WAIT', '1', '5000'), 1);
  return keys;
}

async function assertHasAll(node: NodeConnection, keys: readonly string[], who: string): Promise<void> {
  await node.command('READONLY');
  const values = await node.pipeline(keys.map((key) => ['GET', key]));
  const wanted = keys.map((key) => `value ${key.split(':')[1]}`);
  assert.deepEqual(values, wanted, `${who} has every key`);
}

/** What can have happened to a dead node's nodes.conf. */
const DAMAGES: Record<string, (path: string) => void> = {
  'left as it was': () => {},
  deleted: (path) => rmSync(path),
  'of zero length': (path) => writeFileSync(path, ''),
  corrupt: (path) => writeFileSync(path, readFileSync(path).subarray(0, 70)),
  'with a higher epoch': (path) => {
    const text = readFileSync(path, 'utf8').replace(/currentEpoch \d+/, 'currentEpoch 1000');
    const raised = text.replace(/^(\S+ \S+ myself,master - \d+ \d+) \d+/m, '$1 1000');
    assert.match(raised, /myself,master - \d+ \d+ 1000/);
    writeFileSync(path, raised);
  },
};

/** Kills the first shard's primary, promotes its replica, and brings the dead one back; then they change places. */
async function survivesEveryDamage(
  all: Cluster,
  mode: 'force' | 'takeover',
  say: (text: string) => void,
): Promise<void> {
  const { scene, session, nodes, connections } = all;
  const keys: string[] = [];
  let [old, successor] = [nodes[0]!, nodes[1]!];
  for (const [round, [damage, damageIt]] of Object.entries(DAMAGES).entries()) {
    keys.push(...(await fill(connections.get(old.id)!, round)));
    const { process: running } = session.nodes.get(old.id)!;
    process.kill(running.state === 'running' ? running.pid : 0, 'SIGKILL');
    await session.until('its end', (reports) => reports.get(old.id)?.process.state === 'exited');
    await promoted(connections.get(successor.id)!, mode);
    damageIt(join(scene.nodeDir(old.id), 'nodes.conf'));

    const startedAt = performance.now();
    const { id, host, port } = successor;
    const { slots, configEpoch } = (await admin.observeNode(connections.get(id)!)).nodes.find(isMyself)!;
    const as: StartAs = { kind: 'replica', primary: { id, host, port, slots, configEpoch } };
    await session.request('start_node', { id: old.id, as });
    const returned = connections.get(old.id)!;
    await eventually('a link', async () => (await admin.observeNode(returned)).replication.linkUp);
    say(`${mode}, nodes.conf ${damage}: link up after ${(performance.now() - startedAt).toFixed(0)} ms`);
    const seen = await admin.observeNode(returned);
    assert.deepEqual([seen.id, seen.replication.role], [old.id, 'replica']);
    assert.equal((await admin.role(connections.get(successor.id)!)).role, 'primary');
    await settled(all);
    assert.equal((await admin.role(connections.get(successor.id)!)).role, 'primary', 'still, when all is settled');
    await assertHasAll(connections.get(successor.id)!, keys, `${damage}: the successor`);
    await assertHasAll(returned, keys, `${damage}: the returned`);
    [old, successor] = [successor, old];
  }
}

for (const { shards, mode } of [
  { shards: 3, mode: 'force' },
  { shards: 1, mode: 'takeover' },
] as const) {
  test(`${shards} shard(s): a killed primary returns as a replica by ${mode}, whatever became of its nodes.conf`, async (t) => {
    const scene = await agentScene(t);
    const { session } = await scene.agent();
    const all = await cluster(scene, session, shards);
    await survivesEveryDamage(all, mode, (text) => t.diagnostic(text));
  });
}
