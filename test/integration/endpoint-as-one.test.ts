/** What a client of one server may expect, and what the endpoint makes of several nodes for it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import { type Scene, until } from '../support/endpoint-scene.ts';
import { RawClient } from '../support/raw-client.ts';
import { sharedScene } from '../support/shared-scene.ts';

describe('the endpoint as one server', () => {
  let scene: Scene;
  let client: Redis;
  sharedScene((made) => {
    ({ scene, client } = made);
  });
  const open = async (t: { after(end: () => void): void }): Promise<RawClient> => {
    const raw = await RawClient.open(scene);
    t.after(() => raw.close());
    return raw;
  };

  it('answers BUSY at once while a script of somebody else does not end', async (t) => {
    await client.config('SET', 'busy-reply-threshold', '10');
    const runner = client.duplicate();
    t.after(() => runner.disconnect());
    await runner.ping();
    const other = client.duplicate();
    t.after(() => other.disconnect());
    await other.ping();
    const running = runner.eval('while true do end', 1, 'a').catch(String);
    await until('it is busy', async () => (await other.ping().catch(String)) !== 'PONG');
    await assert.rejects(other.get('a'), /BUSY Valkey is busy running a script/);
    await assert.rejects(other.dbsize(), /BUSY/);
    // Others do not suffer.
    assert.equal(await other.set('b', '1'), 'OK');
    await assert.rejects(other.multi().set('a', 1).exec(), /EXECABORT/);
    assert.equal(await other.call('SCRIPT', 'KILL'), 'OK');
    await until('it is over', async () => (await other.ping().catch(String)) === 'PONG');
    assert.match(String(await running), /Script killed by user with SCRIPT KILL/);
    assert.equal(await other.get('a'), null);
    await client.config('SET', 'busy-reply-threshold', '5000');
  });

  it('carries out commands for every shard behind the others of a transaction', async (t) => {
    const raw = await open(t);
    await raw.says(
      ['MULTI', 'SET a 1', 'CLIENT PAUSE 1 WRITE', 'GET a', 'CONFIG SET hz nonsense', 'FLUSHALL', 'EXEC', 'GET a'],
      ...['+OK', '+QUEUED', '+QUEUED', '+QUEUED', '+QUEUED', '+QUEUED', '*5', '+OK', '+OK', '$1', '1'],
      "-ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed into an integer",
      ...['+OK', '$-1'],
    );
    await raw.says(['MULTI', 'FLUSHALL', 'DBSIZE', 'EXEC'], '+OK', '+QUEUED', '+QUEUED', '*2', '+OK', ':0');
  });

  it('carries out nothing of it when a watched key has changed', async (t) => {
    const raw = await open(t);
    await raw.says('WATCH a', '+OK');
    await client.set('a', '2');
    await raw.says(['MULTI', 'FLUSHALL', 'EXEC', 'GET a'], '+OK', '+QUEUED', '*-1', '$1', '2');
  });

  it('tells MONITOR of every command, and of what scripts call', async (t) => {
    const monitor = await open(t);
    await monitor.says('MONITOR', '+OK');
    await client.set('a', 'x y');
    await client.eval('return server.call("get", KEYS[1])', 1, 'a');
    await client.call('AUTH', 'nobody', 'secret').catch(() => {});
    await client.get('last');
    await until('told', async () => /"get" "last"/.test(monitor.received) && /lua/.test(monitor.received));
    assert.match(monitor.received, /^\+\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "set" "a" "x y"\r\n/);
    assert.match(monitor.received, /\[0 lua\] "get" "a"\r\n/);
    assert.doesNotMatch(monitor.received, /secret/);
  });

  it('shares the limit of tracked keys out', async () => {
    assert.equal(await client.config('SET', 'tracking-table-max-keys', '1000'), 'OK');
    assert.deepEqual(await client.config('GET', 'tracking-table-max-keys'), ['tracking-table-max-keys', '1000']);
    const parts = await Promise.all(
      scene.primaries.map(({ admin }) => admin.command('CONFIG', 'GET', 'tracking-table-max-keys')),
    );
    assert.deepEqual(parts.map((part) => Number(String(part).split(',')[1])).sort(), [333, 333, 334]);
    await assert.rejects(client.config('SET', 'tracking-table-max-keys', '2'), /each of the 3 shards/);
  });
});
