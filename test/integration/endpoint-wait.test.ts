import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import { type Scene, until } from '../support/endpoint-scene.ts';
import { sharedScene } from '../support/shared-scene.ts';

describe('WAIT and WAITAOF at the endpoint of a cluster', () => {
  let scene: Scene;
  let client: Redis;
  sharedScene(
    (made) => {
      ({ scene, client } = made);
    },
    {
      shards: 2,
      replicas: 1,
      users: [{ name: 'nowait', password: 'pw', rules: '~* +@all -wait' }],
    },
  );

  const call = (...args: (string | number)[]): Promise<unknown> =>
    client.call(...(args.map(String) as [string])) as Promise<unknown>;

  it('waits until replicas of all primaries have the writes, also under the writes of others', async () => {
    const other = client.duplicate();
    let isOver = false;
    const writer = (async () => {
      for (let index = 0; !isOver; index += 1) await other.set(`other:${index % 100}`, index);
    })();
    const since = performance.now();
    for (let index = 0; index < 20; index += 1) {
      const results = await client
        .pipeline()
        .set(`k:${index}`, index)
        .call('WAIT', '1', '5000')
        .get(`k:${index}`)
        .exec();
      assert.deepEqual(
        results!.map(([, value]) => value),
        ['OK', 1, String(index)],
      );
    }
    const took = performance.now() - since;
    assert.ok(took < 4_000, `20 times took ${took} ms: acknowledgements are asked for`);
    isOver = true;
    await writer;
    other.disconnect();
  });

  it('blocks its client only, for no longer than it says', async () => {
    const other = client.duplicate();
    await client.set('x', 1);
    const since = performance.now();
    let isOver = false;
    const waiting = call('WAIT', 2, 300).then((count) => {
      isOver = true;
      return count;
    });
    await other.set('y', 1);
    assert.equal(isOver, false);
    assert.equal(await waiting, 1);
    const took = performance.now() - since;
    assert.ok(took >= 295 && took < 2_000, `${took} ms`);
    other.disconnect();
  });

  it('does not count a replica that does not have it', async () => {
    const [replica] = scene.replicas;
    process.kill(replica!.pid, 'SIGSTOP');
    try {
      await Promise.all([client.set('a', 1), client.set('b', 1), client.set('c', 1)]);
      assert.equal(await call('WAIT', 1, 200), 0);
      const forever = client.duplicate();
      const waiting = forever.call('WAIT', 1, 0).catch(String);
      forever.disconnect(); // a client that goes leaves nothing behind
      await waiting;
    } finally {
      process.kill(replica!.pid, 'SIGCONT');
    }
    assert.equal(await call('WAIT', 1, 5_000), 1);
  });

  it('waits for files, too', async () => {
    await assert.rejects(
      call('WAITAOF', 1, 0, 100),
      /WAITAOF cannot be used when numlocal is set but appendonly is disabled\./,
    );
    await client.set('file', 1);
    assert.deepEqual(await call('WAITAOF', 0, 1, 200), [0, 0]);
    for (const { admin } of scene.nodes) await admin.command('CONFIG', 'SET', 'appendonly', 'yes');
    await client.set('file', 2);
    assert.deepEqual(await call('WAITAOF', 1, 1, 10_000), [1, 1]);
  });

  it("refuses in the engine's words", async () => {
    const error = (...args: string[]): Promise<string> => call(...args).then(String, String);
    assert.equal(await error('WAIT', 'x', '0'), 'ReplyError: ERR value is not an integer or out of range');
    assert.equal(await error('WAIT', '1', 'x'), 'ReplyError: ERR timeout is not an integer or out of range');
    assert.equal(await error('WAIT', '1', '-1'), 'ReplyError: ERR timeout is negative');
    assert.equal(
      await error('WAITAOF', '2', '1', '0'),
      'ReplyError: ERR value is out of range, value must between 0 and 1',
    );
    assert.equal(await error('WAITAOF', '1', '-1', '0'), 'ReplyError: ERR value is out of range, must be positive');
    const other = client.duplicate({ username: 'nowait', password: 'pw' });
    await assert.rejects(other.call('WAIT', '0', '0') as Promise<unknown>, /NOPERM.*'wait'/);
    other.disconnect();
    assert.deepEqual(
      await client
        .multi()
        .set('t', 1)
        .call('WAIT', '5', '0')
        .exec()
        .then((all) => all!.length),
      2,
    );
  });

  it('tells a client that waits when a primary is replaced meanwhile', async () => {
    await client.set('x', 2);
    const waiting = call('WAIT', 9, 0).catch(String);
    const [victim] = scene.primaries;
    const replica = scene.replicas.find(({ shard }) => shard === victim!.shard)!;
    await until('it waits there', async () =>
      /blocked_clients:[1-9]/.test(String(await victim!.admin.command('INFO', 'clients'))),
    );
    await victim!.stop();
    await replica.admin.command('CLUSTER', 'FAILOVER', 'TAKEOVER');
    assert.match(String(await waiting), /^ReplyError: UNBLOCKED force unblock/);
    assert.equal(await call('WAIT', 1, 100), 0); // the new primary has no replica
  });
});
