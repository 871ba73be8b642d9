/** Real data through real clients: every place of the world, each quarter written by one client and read by another. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import {
  type City,
  cities,
  cityIdOf,
  cityKey,
  fieldsOf,
  geoKey,
  nameEntry,
  nameKey,
  nameRange,
  storeCommands,
} from '../../examples/cities/cities.ts';
import { type CityClient, CLIENTS, type ClientName, hashOf, inBatches } from '../../examples/cities/clients.ts';
import type { DatabaseStatus, NodeStatus } from '../../src/domain/status.ts';
import { type Fleet, isSettled, nodesOf, withFleet } from '../support/fleet.ts';

const NAMES = Object.keys(CLIENTS) as ClientName[];
const SAMPLE_EVERY = 50;
const SCAN_COUNT = 5_000;
const IN_STEP_MS = 10_000;
const POLL_MS = 20;

/** Each client's quarter, and its prefix: its name. Neighbours in the list are in one country, so each gets every country. */
const quarterOf = (name: ClientName): City[] =>
  cities.filter((_, index) => index % NAMES.length === NAMES.indexOf(name));

/** Whoever reads is not who wrote. */
const readerOf = (writer: ClientName): ClientName => NAMES[(NAMES.indexOf(writer) + 1) % NAMES.length]!;

it('keeps every place of the world, whichever client wrote it, and through the loss of a primary', async (t) => {
  await withFleet({}, async (fleet) => {
    await fleet.until('main', isSettled);
    const timed = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      const startedAt = performance.now();
      await work();
      t.diagnostic(`${what}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
    };
    for (const name of NAMES) await timed(`written by ${name}`, () => write(fleet, name));
    for (const name of NAMES) await timed(`${name}'s, read by ${readerOf(name)}`, () => assertComplete(fleet, name));
    for (const name of NAMES) await assertFound(fleet, name);
    await timed('every shard and its replica', async () => t.diagnostic(await assertSpreadAndCopied(fleet)));

    const victim = (await fleet.show()).shards[0]!.primary!;
    process.kill(victim.pid!, 'SIGKILL');
    await timed('until settled after the loss of a primary', () =>
      fleet.until('main', (now) => isSettled(now) && pidOf(now, victim.nodeId) !== victim.pid),
    );
    for (const name of NAMES) await timed(`${name}'s, read again`, () => assertComplete(fleet, name));
    for (const name of NAMES) await assertWritable(fleet, name);
  });
});

const pidOf = (status: DatabaseStatus, id: string): number | null | undefined =>
  nodesOf(status).find(({ nodeId }) => nodeId === id)?.pid;

async function withClient<T>(fleet: Fleet, name: ClientName, work: (client: CityClient) => Promise<T>): Promise<T> {
  const { clusterEndpoints: nodes } = await fleet.show();
  const client = await CLIENTS[name]({ nodes, password: await passwordOf(fleet) });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

async function passwordOf(fleet: Fleet): Promise<string> {
  return (await fleet.cli('db', 'password', 'main', '--json')).json<{ password: string }>().password;
}

function write(fleet: Fleet, name: ClientName): Promise<void> {
  return withClient(fleet, name, async (client) => {
    let sent = 0;
    for await (const batch of inBatches(client, storeCommands(name, quarterOf(name)))) sent += batch.length;
    assert.ok(sent > quarterOf(name).length);
  });
}

/** Every place equals its source, field by field, and both indexes hold all of them and no more. */
function assertComplete(fleet: Fleet, writer: ClientName): Promise<void> {
  return withClient(fleet, readerOf(writer), async (client) => {
    const places = quarterOf(writer);
    const expected = places[Symbol.iterator]();
    for await (const batch of inBatches(
      client,
      places.map((city) => ['HGETALL', cityKey(writer, city)] as const),
    )) {
      for (const [, reply] of batch) assert.deepEqual(hashOf(reply), fieldsOf(expected.next().value!));
    }
    assert.equal(expected.next().done, true);
    const countries = [...Map.groupBy(places, ({ country }) => country)];
    const indexed = await client.run(
      countries.flatMap(([country]) => [
        ['ZRANGE', geoKey(writer, country), '0', '-1'] as const,
        ['ZRANGE', nameKey(writer, country), '0', '-1'] as const,
      ]),
    );
    for (const [index, [country, members]] of countries.entries()) {
      const [geo, names] = [indexed[2 * index] as string[], indexed[2 * index + 1] as string[]];
      assert.deepEqual([...geo].sort(), members.map(({ cityId }) => String(cityId)).sort(), `geo index of ${country}`);
      assert.deepEqual([...names].sort(), members.map(nameEntry).sort(), `name index of ${country}`);
    }
  });
}

/** What is around a known place, and what begins as its name does, as counted from the source. */
function assertFound(fleet: Fleet, writer: ClientName): Promise<void> {
  return withClient(fleet, readerOf(writer), async (client) => {
    const german = quarterOf(writer).filter(({ country }) => country === 'DE');
    const known = german.reduce((a, b) => (a.population > b.population ? a : b));
    const [longitude, latitude] = known.loc.coordinates.map(String) as [string, string];
    const around = ['FROMLONLAT', longitude, latitude, 'BYRADIUS', '30', 'km', 'ASC'];
    const start = known.name.slice(0, 3);
    const [near, named] = (await client.run([
      ['GEOSEARCH', geoKey(writer, 'DE'), ...around],
      ['ZRANGE', nameKey(writer, 'DE'), ...nameRange(start), 'BYLEX'],
    ])) as [string[], string[]];
    assert.equal(near[0], String(known.cityId), `${known.name} is nearest to itself`);
    const inside = german.filter((city) => kilometres(known, city) < 29.9).map(({ cityId }) => String(cityId));
    const outside = german.filter((city) => kilometres(known, city) > 30.1).map(({ cityId }) => String(cityId));
    assert.ok(inside.length > 1, 'the circle holds more than its centre');
    const missing = inside.filter((id) => !near.includes(id));
    const tooFar = outside.filter((id) => near.includes(id));
    assert.deepEqual({ missing, tooFar }, { missing: [], tooFar: [] }, `around ${known.name}`);
    const wanted = german.filter(({ name }) => name.toLowerCase().startsWith(start.toLowerCase()));
    assert.deepEqual(named.map(cityIdOf).sort(), wanted.map(({ cityId }) => cityId).sort());
  });
}

/** Great-circle distance on the sphere that the engine uses. */
function kilometres(a: City, b: City): number {
  const [lon1, lat1, lon2, lat2] = [...a.loc.coordinates, ...b.loc.coordinates].map((deg) => (deg * Math.PI) / 180) as [
    number,
    number,
    number,
    number,
  ];
  const h = Math.sin((lat2 - lat1) / 2) ** 2 + Math.cos(lat1) * Math.cos(lat2) * Math.sin((lon2 - lon1) / 2) ** 2;
  return 2 * 6372.797560856 * Math.asin(Math.sqrt(h));
}

/** Every shard has a fair part, the parts are the whole, and every replica has each key of its primary. */
async function assertSpreadAndCopied(fleet: Fleet): Promise<string> {
  const { shards } = await fleet.show();
  const password = await passwordOf(fleet);
  const counts: number[] = [];
  for (const { primary, replicas } of shards) {
    await using source = connected(primary!, password);
    const keys = await keysOf(source.redis);
    counts.push([...keys].filter((key) => key.includes(':city:')).length);
    const offset = await offsetOf(source.redis);
    for (const replica of replicas) {
      await using copy = connected(replica, password);
      await untilAt(copy.redis, offset);
      assert.deepEqual(differences(await keysOf(copy.redis), keys), { missing: [], strange: [] });
      await copy.redis.readonly();
      const sample = [...keys].filter((key, index) => index % SAMPLE_EVERY === 0 && key.includes(':city:'));
      const [here, there] = await Promise.all(
        [source, copy].map(({ redis }) => Promise.all(sample.map((key) => redis.hgetall(key)))),
      );
      assert.deepEqual(there, here);
    }
  }
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    cities.length,
  );
  const fair = cities.length / shards.length;
  assert.ok(
    counts.every((count) => Math.abs(count - fair) < fair / 10),
    `places a shard: ${counts}`,
  );
  return `places a shard: ${counts.join(', ')}`;
}

const differences = (found: ReadonlySet<string>, wanted: ReadonlySet<string>) => ({
  missing: [...wanted].filter((key) => !found.has(key)),
  strange: [...found].filter((key) => !wanted.has(key)),
});

function connected({ host, port }: NodeStatus, password: string): AsyncDisposable & { redis: Redis } {
  const redis = new Redis({ host, port, password });
  return { redis, [Symbol.asyncDispose]: async () => redis.disconnect() };
}

async function keysOf(redis: Redis): Promise<Set<string>> {
  const keys = new Set<string>();
  let cursor = '0';
  do {
    const [next, found] = await redis.scan(cursor, 'COUNT', SCAN_COUNT);
    for (const key of found) keys.add(key);
    cursor = next;
  } while (cursor !== '0');
  return keys;
}

const offsetOf = async (redis: Redis): Promise<number> =>
  Number(/^master_repl_offset:(\d+)/m.exec(await redis.info('replication'))![1]);

async function untilAt(replica: Redis, offset: number): Promise<void> {
  const deadline = performance.now() + IN_STEP_MS;
  while ((await offsetOf(replica)) < offset) {
    assert.ok(performance.now() < deadline, `a replica has not reached ${offset} after ${IN_STEP_MS} ms`);
    await pause(POLL_MS);
  }
}

/** A few new places for every shard. */
function assertWritable(fleet: Fleet, name: ClientName): Promise<void> {
  return withClient(fleet, name, async (client) => {
    const ids = Array.from({ length: 30 }, (_, id) => id);
    await client.run(ids.map((cityId) => ['HSET', cityKey(`new-${name}`, { cityId }), 'name', `${cityId}`] as const));
    const read = await client.run(ids.map((cityId) => ['HGETALL', cityKey(`new-${name}`, { cityId })] as const));
    assert.deepEqual(
      read.map(hashOf),
      ids.map((id) => ({ name: `${id}` })),
    );
  });
}
