/** The data path needs no control plane: all servers and their store are down, a primary dies, clients go on. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { killAndWait } from '../support/agent-scene.ts';
import { eventually, type SeveralServers, startServers } from '../support/servers.ts';
import { startLoad } from '../support/write-load.ts';

const SPEC = { shards: 3, replicas: 1, memoryBytes: 96 * 1024 ** 2, persistence: 'none', auth: false };
/** Clients work undisturbed for so long before anything else happens. */
const QUIET_MS = 2_000;
/** The engine's own time-out, 5 s, an election, and a busy machine. */
const FAILOVER_MS = 30_000;

const primaryOf = ({ shards }: DatabaseStatus, shard: string) => shards.find(({ id }) => id === shard)!.primary;

test('reads and writes go on, the engine promotes, and a control plane that returns tells and repairs', async (t) => {
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
  const repaired = events.filter(
    ({ kind, details, node }) => kind === 'step_done' && details?.['step'] === 'start_node' && node === dead.nodeId,
  );
  assert.equal(repaired.length, 1, 'the process that had died is a copy now');
  // All that was written is there, and it is written on.
  const last = await startLoad(t, fleet.all[2]!.address, before.spec.port);
  await pause(QUIET_MS / 4);
  assert.equal((await last.end()).failed, 0);
});

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
