/** The data path needs no control plane: all servers and their store are down, a primary dies, its agent replaces it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { DatabaseStatus, NodeStatus } from '../../src/domain/status.ts';
import { killAndWait } from '../support/agent-scene.ts';
import { eventually, type SeveralServers, startServers } from '../support/servers.ts';
import { startLoad } from '../support/write-load.ts';

const SPEC = { shards: 3, replicas: 1, memoryBytes: 96 * 1024 ** 2, persistence: 'none', auth: false };
/** Clients work undisturbed for so long before anything else happens. */
const QUIET_MS = 2_000;
/** An agent takes milliseconds; a failsafe for a busy machine. */
const FAILOVER_MS = 30_000;

const primaryOf = ({ shards }: DatabaseStatus, shard: string) => shards.find(({ id }) => id === shard)!.primary;

test('reads and writes go on, the agents replace what dies, and a control plane that returns tells of it', async (t) => {
  const fleet = await startServers(t, { members: 1 });
  const [first] = fleet.all;
  const response = await first!.call('POST', '/v1/databases', { name: 'main', spec: SPEC });
  assert.equal(response.status, 201, await response.text());
  await eventually('main is ready', async () => (await first!.database('main')).state === 'ready');
  const before = await first!.database('main');
  const load = await startLoad(t, fleet.all[1]!.address, before.spec.port);
  await Promise.all([...fleet.all.map((server) => server.kill()), fleet.etcd.members[0]!.kill()]);

  const { acknowledged } = load;
  await pause(QUIET_MS);
  assert.ok(load.acknowledged > acknowledged, 'writes go on');
  const quiet = await load.end();
  assert.equal(quiet.failed, 0, quiet.firstFailure);

  const dead = primaryOf(before, 'shard-1')!;
  const tookMs = await killPrimary(t, fleet, before.spec.port, dead.pid!);
  t.diagnostic(
    `shard-1 takes writes again ${Math.round(tookMs)} ms after kill -9 of its primary, with no server there`,
  );

  // Its own agent has started it again, as a copy, before any server is there.
  await eventually('the process that had died runs again', () => isReplica(dead));

  await fleet.etcd.members[0]!.start();
  await Promise.all(fleet.all.map((server) => server.start()));
  await eventually('main is ready', async () => (await first!.database('main')).state === 'ready');
  const after = await first!.database('main');
  const successor = before.shards.find(({ id }) => id === 'shard-1')!.replicas[0]!.nodeId;
  const nodes = after.shards.flatMap(({ primary, replicas }) => [primary!, ...replicas]);
  assert.ok(nodes.every(({ state }) => state === 'running'));
  const events = await first!.events();
  const told = events.filter(({ kind }) => kind === 'primary_changed_meanwhile');
  assert.deepEqual(
    told.map(({ database, shard, node, details }) => ({ database, shard, node, from: details!['from'] })),
    [{ database: 'main', shard: 'shard-1', node: successor, from: dead.nodeId }],
  );
  // All that was written is there, and it is written on.
  const last = await startLoad(t, fleet.all[2]!.address, before.spec.port);
  await pause(QUIET_MS / 4);
  assert.equal((await last.end()).failed, 0);
});

/** Whether it runs and follows another. */
async function isReplica({ host, port }: NodeStatus): Promise<boolean> {
  const client = new Redis(port, host, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => {}); // it is asked again
  try {
    return (await client.role())[0] === 'slave';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

/** Kills it while a client writes to its slots through an endpoint. @returns how long no write was taken, in ms */
async function killPrimary(t: TestContext, fleet: SeveralServers, port: number, pid: number): Promise<number> {
  const client = new Redis(port, fleet.all[1]!.address, { maxRetriesPerRequest: null });
  client.on('error', () => {}); // looked at where a command fails
  t.after(() => client.disconnect());
  const key = 'of slot 0 to 5460: {06S}'; // slot 0
  await client.set(key, 'before');
  await killAndWait(pid);
  const killedMs = performance.now();
  await eventually('a write to the shard', async () => (await client.set(key, 'after')) === 'OK', FAILOVER_MS);
  const tookMs = performance.now() - killedMs;
  assert.equal(await client.get(key), 'after');
  return tookMs;
}
