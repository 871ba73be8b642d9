/** What a plain client sees of failovers and of slots that move: nothing, but for what nobody can know. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { keySlot } from '../../src/domain/key-slot.ts';
import { endpointScene, type Scene, type SceneNode, until } from '../support/endpoint-scene.ts';

const connect = (scene: Scene): Redis => {
  const client = new Redis(scene.port, scene.host, { retryStrategy: () => 20 });
  client.on('error', () => {});
  return client;
};

/** Writers of unique keys, each with many commands under way, until told to stop. */
function load(client: Redis, writers = 16) {
  const acknowledged = new Map<string, string>();
  const errors: string[] = [];
  let number = 0;
  let stopped = false;
  const write = async (): Promise<void> => {
    while (!stopped) {
      const key = `w:${number++}`;
      try {
        await client.set(key, key);
        acknowledged.set(key, key);
      } catch (error) {
        errors.push((error as Error).message);
      }
    }
  };
  const all = Promise.all(Array.from({ length: writers }, write));
  return {
    acknowledged,
    errors,
    stop: async () => {
      stopped = true;
      await all;
    },
  };
}

async function readBack(client: Redis, expected: ReadonlyMap<string, string>): Promise<number> {
  const keys = [...expected.keys()];
  let lost = 0;
  for (let at = 0; at < keys.length; at += 1_000) {
    const part = keys.slice(at, at + 1_000);
    const values = await client.mget(...part);
    lost += values.filter((value, index) => value !== expected.get(part[index]!)).length;
  }
  return lost;
}

const SETTLED = /^(success|failed|cancelled)$/;

/** Moves slots and waits until the move has ended well. */
async function move(from: SceneNode, to: SceneNode, first: number, last: number): Promise<void> {
  await from.admin.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', first, last, 'NODE', to.id);
  await until(`slots ${first}-${last} have moved`, async () => {
    const jobs = (await from.admin.command('CLUSTER', 'GETSLOTMIGRATIONS')) as unknown[];
    const fields = (jobs[0] ?? []) as unknown[];
    const state = String(fields[fields.indexOf('state') + 1]);
    assert.notEqual(state, 'failed');
    return SETTLED.test(state);
  });
}

/** How often the node was asked for a value. */
async function readsAt({ admin }: SceneNode): Promise<number> {
  const stats = String(await admin.command('INFO', 'commandstats'));
  return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

describe('topology changes at the endpoint', () => {
  it('a primary is killed: commands wait for its replica, only those in flight are told that nobody knows', async (t) => {
    const scene = await endpointScene(t, { replicas: 1 });
    const client = connect(scene);
    t.after(() => client.disconnect());
    const writes = load(client);
    await until('some writes are acknowledged', async () => writes.acknowledged.size > 2_000);
    const [dead] = scene.primaries;
    const replica = scene.replicas.find(({ shard }) => shard === dead!.shard)!;
    process.kill(dead!.pid, 'SIGKILL');
    await replica.admin.command('CLUSTER', 'FAILOVER', 'FORCE');
    const before = writes.acknowledged.size;
    await until('writes go on', async () => writes.acknowledged.size > before + 2_000);
    await writes.stop();
    assert.deepEqual(
      [...new Set(writes.errors.map((text) => text.split(' ')[0]))].filter((code) => code !== 'UNKNOWNOUTCOME'),
      [],
    );
    assert.ok(writes.errors.length <= 16, `${writes.errors.length} errors`);
    assert.equal(await readBack(client, writes.acknowledged), 0);
  });

  it('reads in flight to a node that dies are repeated', async (t) => {
    const scene = await endpointScene(t, { replicas: 1 });
    const client = connect(scene);
    t.after(() => client.disconnect());
    const keys = Array.from({ length: 200 }, (_, index) => `r:${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    const [dead] = scene.primaries;
    const replica = scene.replicas.find(({ shard }) => shard === dead!.shard)!;
    await until(
      'the replica has it all',
      async () => String(await replica.admin.command('DBSIZE')) === String(await dead!.admin.command('DBSIZE')),
    );
    process.kill(dead!.pid, 'SIGSTOP');
    const reads = Promise.all(keys.map((key) => client.get(key)));
    process.kill(dead!.pid, 'SIGKILL');
    await replica.admin.command('CLUSTER', 'FAILOVER', 'FORCE');
    assert.deepEqual(await reads, keys);
  });

  it('a blocked client goes on waiting at the new primary, for what is left of its time', async (t) => {
    const scene = await endpointScene(t, { shards: 1, replicas: 1 });
    const [client, late, other] = [connect(scene), connect(scene), connect(scene)];
    t.after(() => [client, late, other].map((one) => one.disconnect()));
    const [replica] = scene.replicas as [SceneNode];
    const waiting = client.blpop('queue', 0);
    const timing = late.blpop('nothing', 2);
    const blocked = async () => Number(/blocked_clients:(\d+)/.exec(String(await other.info('clients')))?.[1]);
    await until('both wait', async () => (await blocked()) === 2);
    await replica.admin.command('CLUSTER', 'FAILOVER');
    await until('the replica is primary', async () => String(await replica.admin.command('ROLE')).startsWith('master'));
    await other.rpush('queue', 'job');
    assert.deepEqual(await waiting, ['queue', 'job']);
    assert.equal(await timing, null);
  });

  it('slots move back and forth under writes: no error, nothing lost, no command overtakes another', async (t) => {
    const scene = await endpointScene(t, { shards: 2 });
    const client = connect(scene);
    const counter = connect(scene);
    t.after(() => [client, counter].map((one) => one.disconnect()));
    const [one, two] = scene.primaries as [SceneNode, SceneNode];
    const key = 'counter';
    const [from, to] = keySlot(key) < 8192 ? [one, two] : [two, one];
    const [first, last] = keySlot(key) < 8192 ? [0, 8191] : [8192, 16383];
    const writes = load(client);
    const counted: number[] = [];
    let counting = true;
    const count = (async () => {
      while (counting) {
        const results = await Promise.all(Array.from({ length: 20 }, () => counter.incr(key)));
        counted.push(...results);
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      await move(from, to, first, last);
      await move(to, from, first, last);
    }
    counting = false;
    await count;
    await writes.stop();
    assert.deepEqual(writes.errors, []);
    assert.deepEqual(
      counted,
      counted.map((_, index) => index + 1),
    );
    assert.equal(await readBack(client, writes.acknowledged), 0);
    assert.ok(scene.service.sender.counts.redirections > 0, 'no command met a moved slot: the test shows nothing');
  });

  it('waits for a primary no longer than it says, and no more than so many commands', async (t) => {
    const scene = await endpointScene(t, { limits: { waitMs: 500, waitingCommands: 10 } });
    const client = connect(scene);
    t.after(() => client.disconnect());
    const key = Array.from({ length: 100 }, (_, index) => `k${index}`).find((name) => keySlot(name) < 5_461)!;
    const other = Array.from({ length: 100 }, (_, index) => `k${index}`).find((name) => keySlot(name) > 10_923)!;
    await client.set(key, 1);
    await scene.primaries[0]!.stop();
    await assert.rejects(client.get(key)); // by now the endpoint has seen the connection end
    const clients = Array.from({ length: 30 }, () => connect(scene));
    t.after(() => clients.map((one) => one.disconnect()));
    const results = await Promise.allSettled(clients.map((one) => one.get(key)));
    const reasons = results.map((result) =>
      result.status === 'rejected' ? String(result.reason.message) : 'answered',
    );
    assert.ok(
      reasons.every((text) => text.startsWith('CLUSTERDOWN')),
      String(reasons.find((text) => !text.startsWith('CLUSTERDOWN'))),
    );
    assert.match(
      reasons.find((text) => text.includes('could not be reached'))!,
      /primary 127\.0\.0\.1:\d+ could not be reached for 0\.5 s/,
    );
    assert.ok(
      reasons.some((text) => text.includes('too many')),
      reasons.join('\n'),
    );
    assert.equal(await client.set(other, 1), 'OK', 'the other shards are not harmed');
  });

  it('says that nothing was done where a node takes the connection and does not answer', async (t) => {
    const scene = await endpointScene(t, { limits: { waitMs: 300 } });
    const client = connect(scene);
    t.after(() => client.disconnect());
    const { host, port, stop } = scene.primaries[0]!;
    await stop();
    const silent = createServer(() => {}).listen(port, host);
    t.after(() => silent.close());
    await once(silent, 'listening');
    await assert.rejects(client.set('k2', 1), /^ReplyError: CLUSTERDOWN the primary .* nothing was done/);
  });

  it('the copy in the zone of the endpoint answers reads, where there is one', async (t) => {
    const zones = ['a', 'b', 'c'];
    const scene = await endpointScene(t, { shards: 1, replicas: 2, read: 'nearest-zone', zone: 'c', zones });
    const client = connect(scene);
    t.after(() => client.disconnect());
    await client.set('k', 1);
    const near = scene.nodes[2]!;
    await until('the near replica answers', async () => {
      assert.equal(await client.get('k'), '1');
      return (await readsAt(near)) > 0;
    });
    const before = await Promise.all(scene.nodes.map(readsAt));
    await Promise.all(Array.from({ length: 50 }, () => client.get('k')));
    const after = await Promise.all(scene.nodes.map(readsAt));
    assert.deepEqual(
      after.map((count, index) => count - before[index]!),
      [0, 0, 50],
    );
    await near.stop();
    assert.equal(await client.get('k'), '1', 'the primary answers when the near one is gone');
  });

  it('replicas answer reads where the database or the connection says so, and the primary when they cannot', async (t) => {
    const scene = await endpointScene(t, { shards: 1, replicas: 1, read: 'replica' });
    const client = connect(scene);
    t.after(() => client.disconnect());
    await client.set('k', 1);
    const [replica] = scene.replicas as [SceneNode];
    const calls = (): Promise<number> => readsAt(replica);
    await until('the replica has it', async () => String(await replica.admin.command('DBSIZE')) === '1');
    await until('the replica answers reads', async () => {
      assert.equal(await client.get('k'), '1');
      return (await calls()) > 0;
    });
    await client.call('READWRITE');
    const before = await calls();
    await Promise.all(Array.from({ length: 50 }, () => client.get('k')));
    assert.equal(await calls(), before);
    await client.call('READONLY');
    await replica.stop();
    assert.equal(await client.get('k'), '1');
  });
});
