import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { keySlot } from '../../src/domain/key-slot.ts';
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
