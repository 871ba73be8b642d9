import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { keySlot } from '../../src/domain/key-slot.ts';
import { encodeCommand } from '../../src/resp/encode.ts';
import { Random } from '../sim/random.ts';
import { ByteClient } from '../support/byte-client.ts';
import type { Scene } from '../support/endpoint-scene.ts';
import { sharedScene } from '../support/shared-scene.ts';

describe('a plain client at the endpoint of a cluster', () => {
  let scene: Scene;
  let client: Redis;
  sharedScene(
    (made) => {
      ({ scene, client } = made);
    },
    { users: [{ name: 'single', password: 'pw', rules: '~* +@all -multi' }] },
  );

  it('reads and writes keys of all shards', async () => {
    const keys = Array.from({ length: 300 }, (_, index) => `key:${index}`);
    await Promise.all(keys.map((key) => client.set(key, `value of ${key}`)));
    const values = await Promise.all(keys.map((key) => client.get(key)));
    assert.deepEqual(
      values,
      keys.map((key) => `value of ${key}`),
    );
    assert.deepEqual(await client.mget(...keys), values);
    assert.equal(await client.exists(...keys), 300);
    assert.equal(await client.del(...keys), 300);
  });

  it('keeps the order of replies of a pipeline over all shards, in pieces of any size', async () => {
    const pipeline = client.pipeline();
    const big = 'x'.repeat(200_000);
    for (let index = 0; index < 200; index += 1)
      pipeline.set(`p:${index}`, index % 20 === 0 ? `${big}${index}` : index).get(`p:${index}`);
    const results = (await pipeline.exec())!;
    for (let index = 0; index < 200; index += 1) {
      assert.equal(results[2 * index + 1]![1], index % 20 === 0 ? `${big}${index}` : String(index));
    }
  });

  it('brings long commands as they were, in whatever pieces they come, from many clients at once', async (t) => {
    const clients = Array.from({ length: 8 }, () => new ByteClient(scene.port));
    t.after(() => clients.forEach((one) => void one.destroy()));
    const chance = new Random(7);
    const textOf = (name: string): string => createHash('sha512').update(name).digest('hex').repeat(1_000);
    const wanted = new Map<string, string>();
    await Promise.all(
      clients.map(async (one, number) => {
        await one.connected();
        for (let round = 0; round < 6; round += 1) {
          const commands = Array.from({ length: 4 }, (_, index) => {
            const key = `long:${number}:${round}:${index}`;
            wanted.set(key, textOf(key).slice(0, chance.below(index === 0 ? 100 : 120_000)));
            return encodeCommand(['SET', key, wanted.get(key)!]);
          });
          const bytes = Buffer.concat(commands);
          for (let at = 0; at < bytes.length; ) {
            const length = 1 + chance.below(50_000);
            one.write(bytes.subarray(at, at + length));
            at += length;
            await setImmediate();
          }
          for (const _ of commands) assert.equal(await one.next(), '+OK\r\n');
        }
      }),
    );
    for (const [key, value] of wanted) assert.ok((await client.get(key)) === value, key);
  });

  it('carries out transactions in one slot, and refuses those in two with both keys named', async () => {
    const results = await client.multi().set('{t}a', 1).incr('{t}a').get('{t}a').exec();
    assert.deepEqual(results, [
      [null, 'OK'],
      [null, 2],
      [null, '2'],
    ]);
    assert.notEqual(keySlot('a'), keySlot('b'));
    await assert.rejects(client.call('RENAME', 'a', 'b') as Promise<unknown>, /CROSSSLOT.*"a" and "b"/);
    await assert.rejects(client.multi().set('a', 1).set('b', 2).exec() as Promise<unknown>, /EXECABORT/);
  });

  it('carries out nothing of a transaction for a user who may not say MULTI', async () => {
    const single = new Redis(scene.port, scene.host, { username: 'single', password: 'pw' });
    assert.equal(await single.set('{n}a', 'before'), 'OK');
    await single.watch('{n}a');
    await assert.rejects(single.multi().set('{n}a', 1).exec() as Promise<unknown>, /NOPERM .*'multi'/);
    await assert.rejects(single.call('MSETEX', '1', '{n}a', '2') as Promise<unknown>, /NOPERM .*'multi'/);
    assert.equal(await single.get('{n}a'), 'before');
    single.disconnect();
  });

  it('aborts a transaction whose watched key was changed', async () => {
    const other = client.duplicate();
    await client.set('{w}k', 1);
    await client.watch('{w}k');
    await other.set('{w}k', 2);
    assert.equal(await client.multi().set('{w}k', 3).exec(), null);
    assert.equal(await client.get('{w}k'), '2');
    other.disconnect();
  });

  it('blocks only the client that asked to wait', async () => {
    const other = client.duplicate();
    const waiting = other.blpop('queue', 0);
    await client.rpush('queue', 'job');
    assert.deepEqual(await waiting, ['queue', 'job']);
    other.disconnect();
  });

  it('has sixteen databases', async () => {
    const other = new Redis(scene.port, scene.host, { db: 5 });
    await client.set('which', 0);
    await other.set('which', 5);
    assert.deepEqual([await client.get('which'), await other.get('which')], ['0', '5']);
    other.disconnect();
  });
});
