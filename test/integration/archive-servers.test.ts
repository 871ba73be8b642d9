/** An archive whose server is killed: another one goes on with it, and with what is being restored of it. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import type { ArchiveStatus } from '../../src/domain/archive.ts';
import { isReached } from '../support/archive-window.ts';
import { primariesOf } from '../support/content.ts';
import { eventually, type ServerProcess, startServers } from '../support/servers.ts';
import { tempDir } from '../support/temp-dir.ts';
import { TimedWriter, timedContent } from '../support/timed-writer.ts';

const SPEC = { memoryBytes: 64 * 1024 ** 2, shards: 2, replicas: 1, persistence: 'aof', auth: false };

/** Resolves when all of its data is there and it takes clients. */
const ready = (server: ServerProcess, name: string): Promise<void> =>
  eventually(`${name} is ready`, async () => {
    const { state, restore } = await server.database(name);
    return state === 'ready' && restore === null;
  });

async function writerOf(t: TestContext, server: ServerProcess): Promise<TimedWriter> {
  const { endpoints } = await server.database('main');
  const { host, port } = endpoints.find(({ machine }) => machine === server.machine)!;
  const client = new Redis({ host, port, maxRetriesPerRequest: 0 });
  t.after(() => client.disconnect());
  return new TimedWriter(client);
}

/** The archive, once it has this second. */
async function reaching(server: ServerProcess, second: number): Promise<ArchiveStatus> {
  let found: ArchiveStatus | undefined;
  await eventually(`${second} is reached`, async () => {
    found = await server.get<ArchiveStatus>('/v1/archives/main');
    return isReached(found, second);
  });
  return found!;
}

/** What there is in a database, of the writer. */
async function contentIn(server: ServerProcess, name: string): Promise<[string, string][]> {
  const { clusterEndpoints } = await server.database(name);
  const client = new Cluster([...clusterEndpoints]);
  try {
    await client.ping(); // it knows its nodes then
    return [...(await timedContent(primariesOf(client)))].sort();
  } finally {
    client.disconnect();
  }
}

it('goes on where it was when the server that led is killed, a restore too', async (t) => {
  const fleet = await startServers(t, { servers: 2, members: 1 });
  const place = tempDir(t);
  const first = await fleet.leader();
  const second = fleet.all.find((one) => one !== first)!;
  const made = await second.call('POST', '/v1/databases', { name: 'main', spec: SPEC });
  assert.equal(made.status, 201, await made.text());
  await ready(second, 'main');
  const noPlace = await second.call('PUT', '/v1/databases/main/archive', {});
  assert.equal(((await noPlace.json()) as { code: string }).code, 'backup_place_missing');
  await second.cli('backup', 'archive', 'main', '--every', '1s', '--to', place);
  await pause(3_000);
  const writer = await writerOf(t, second);
  await reaching(second, await writer.during(1));

  await first.kill();
  const leaderless = await writer.during(1);
  await eventually('the other leads', async () => (await second.status()).servers.leader === second.url);
  const after = await writer.during(2);
  const { window, databaseUid } = await reaching(second, after);
  assert.equal(window.length, 1, 'nothing is missing');
  const shards = join(place, '_archive', 'main', databaseUid, 'shards');
  for (const shard of readdirSync(shards))
    assert.equal(readdirSync(join(shards, shard)).length, 1, 'one chain goes on');
  await first.start();
  await eventually('it knows who leads', async () => (await first.status()).servers.leader === second.url);

  // The restore is asked of the one that follows, and the one that leads is killed when it has begun.
  const at = new Date(leaderless * 1_000).toISOString();
  const begun = await first.call('POST', '/v1/restores', { name: 'then', from: 'main', at, spec: {} });
  assert.equal(begun.status, 201, await begun.text());
  await second.kill();
  await ready(first, 'then');
  assert.deepEqual(await contentIn(first, 'then'), [...writer.at(leaderless)].sort());
  const now = Math.floor(Date.now() / 1_000);
  assert.equal((await reaching(first, now)).window.length, 1);
});
