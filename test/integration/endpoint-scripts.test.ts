import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import { keySlot } from '../../src/domain/key-slot.ts';
import { type Scene, type SceneNode, until } from '../support/endpoint-scene.ts';
import { sharedScene } from '../support/shared-scene.ts';

const HASH_TAGS = ['a', 'b', 'c', 'd', 'e', 'f'];
const library = (name: string, result: string): string =>
  `#!lua name=${name}\nserver.register_function('${name}_f', function(keys, args) return '${result}' end)`;

describe('scripts and functions at the endpoint of a cluster', () => {
  let scene: Scene;
  let client: Redis;
  sharedScene((made) => {
    ({ scene, client } = made);
  });

  const call = (...args: (string | number)[]): Promise<unknown> =>
    client.call(...(args.map(String) as [string])) as Promise<unknown>;
  const shardOf = (key: string): SceneNode => scene.primaries[scene.service.map.owners[keySlot(key)]!]!;
  const keyAt = (node: SceneNode): string =>
    Array.from({ length: 1_000 }, (_, index) => `k${index}`).find((key) => shardOf(key) === node)!;

  it('runs a script where its keys are, and by its SHA-1 at every shard', async () => {
    const script = 'return server.call("INCRBY", KEYS[1], ARGV[1])';
    assert.equal(await call('EVAL', script, 1, 'counter', 2), 2);
    const sha = (await import('node:crypto')).createHash('sha1').update(script).digest('hex');
    const results = await Promise.all(HASH_TAGS.map((tag) => call('EVALSHA', sha, 1, `{${tag}}n`, 3)));
    assert.deepEqual(results, [3, 3, 3, 3, 3, 3]);
    assert.equal(await call('EVALSHA_RO', (await call('SCRIPT', 'LOAD', 'return 7')) as string, 1, 'x'), 7);
    await assert.rejects(call('EVAL', script, 2, 'a', 'b', 1), /CROSSSLOT.*"a" and "b"/);
    await assert.rejects(call('EVAL', script, 'many', 'a'), /value is not an integer or out of range/);
  });

  it('says NOSCRIPT when nobody knows it, and SCRIPT FLUSH makes all forget', async () => {
    const sha = (await call('SCRIPT', 'LOAD', 'return 1')) as string;
    assert.deepEqual(await call('SCRIPT', 'EXISTS', sha, 'f'.repeat(40)), [1, 0]);
    assert.equal(String(await call('SCRIPT', 'SHOW', sha)), 'return 1');
    assert.equal(await call('SCRIPT', 'FLUSH'), 'OK');
    assert.deepEqual(await call('SCRIPT', 'EXISTS', sha), [0]);
    await assert.rejects(call('EVALSHA', sha, 1, 'x'), /^ReplyError: NOSCRIPT No matching script\.$/);
    await assert.rejects(call('EVALSHA', 'short', 0), /NOSCRIPT/);
    await assert.rejects(call('SCRIPT', 'SHOW', sha), /NOSCRIPT/);
    await assert.rejects(call('SCRIPT', 'LOAD', 'this is no script'), /ERR Error compiling script/);
  });

  it('loads a script where it is missing, in the order of a pipeline and in a transaction', async () => {
    const append = 'return server.call("APPEND", KEYS[1], ARGV[1])';
    const sha = (await call('SCRIPT', 'LOAD', append)) as string;
    for (const node of scene.primaries) await node.admin.command('SCRIPT', 'FLUSH');
    const key = keyAt(scene.primaries[1]!);
    const results = await client.pipeline().append(key, '1').evalsha(sha, 1, key, '2').append(key, '3').get(key).exec();
    assert.equal(results!.at(-1)![1], '123');
    for (const node of scene.primaries) await node.admin.command('SCRIPT', 'FLUSH');
    assert.equal(await client.evalsha(sha, 1, key, '4'), 4); // known there until a moment ago
    const other = keyAt(scene.primaries[2]!);
    assert.deepEqual(await client.multi().evalsha(sha, 1, other, 'x').get(other).exec(), [
      [null, 1],
      [null, 'x'],
    ]);
  });

  it('asks other primaries for a script that it never saw', async () => {
    const [one, , third] = scene.primaries;
    const sha = String(await one!.admin.command('SCRIPT', 'LOAD', 'return "from the first"'));
    assert.equal(await call('EVALSHA', sha, 1, keyAt(third!)), 'from the first');
    const unheard = String(await third!.admin.command('SCRIPT', 'LOAD', 'return "keyless"'));
    assert.equal(await call('EVALSHA', unheard, 0), 'keyless');
  });

  it('calls a script that declares no key where the key lies that it uses', async () => {
    for (const node of scene.primaries) {
      const key = keyAt(node);
      const script = `return redis.call('INCR', '${key}')`;
      await client.del(key);
      assert.equal(await call('EVAL', script, 0), 1);
      const sha = String(await call('SCRIPT', 'LOAD', script));
      assert.deepEqual(await Promise.all([call('EVALSHA', sha, 0), call('EVALSHA', sha, 0)]), [2, 3]);
      await client.del(key);
    }
    const [one, two] = scene.primaries;
    const both = `redis.call('INCR', '${keyAt(one!)}') return redis.call('INCR', '${keyAt(two!)}')`;
    await assert.rejects(call('EVAL', both, 0), /non local key/);
    assert.equal(await client.get(keyAt(one!)), '1', 'begun at one primary only');
    assert.equal(await client.get(keyAt(two!)), null);
    await client.del(keyAt(one!));
  });

  it('ends a script that runs for too long, while others wait for it', async () => {
    for (const { admin } of scene.primaries) await admin.command('CONFIG', 'SET', 'busy-reply-threshold', 1);
    await assert.rejects(call('SCRIPT', 'KILL'), /NOTBUSY No scripts in execution right now\./);
    const other = client.duplicate({ db: 3 });
    await other.ping(); // whoever connects while a node is busy is told so
    const running = client.eval('while true do end', 1, keyAt(scene.primaries[1]!)).catch(String);
    await until('it is killed', () =>
      other.call('SCRIPT', 'KILL').then(
        (reply) => reply === 'OK',
        () => false,
      ),
    );
    assert.match(String(await running), /Script killed by user with SCRIPT KILL/);
    other.disconnect();
  });

  it('keeps the same functions at all primaries', async () => {
    assert.equal(await call('FUNCTION', 'LOAD', library('one', 'first')), 'one');
    const everywhere = await Promise.all(HASH_TAGS.map((tag) => call('FCALL', 'one_f', 1, `{${tag}}`)));
    assert.deepEqual(new Set(everywhere), new Set(['first']));
    await assert.rejects(call('FUNCTION', 'LOAD', library('one', 'second')), /ERR Library 'one' already exists/);
    assert.equal(await call('FUNCTION', 'LOAD', 'REPLACE', library('one', 'second')), 'one');
    assert.equal(await call('FCALL', 'one_f', 1, 'x'), 'second');
    const dump = (await client.callBuffer('FUNCTION', 'DUMP')) as Buffer;
    assert.equal(await call('FUNCTION', 'DELETE', 'one'), 'OK');
    await assert.rejects(call('FUNCTION', 'DELETE', 'one'), /ERR Library not found/);
    await assert.rejects(call('FCALL', 'one_f', 1, 'x'), /ERR Function not found/);
    assert.equal(await client.call('FUNCTION', 'RESTORE', dump), 'OK');
    for (const node of scene.primaries) assert.equal(await call('FCALL', 'one_f', 1, keyAt(node)), 'second');
    assert.equal(await call('FUNCTION', 'FLUSH'), 'OK');
    assert.deepEqual(await call('FUNCTION', 'LIST'), []);
  });

  it('makes all primaries agree when one of them refuses, and brings a function where it is missing', async () => {
    const [, two, three] = scene.primaries;
    await two!.admin.command('FUNCTION', 'LOAD', library('lib', 'old'));
    await assert.rejects(call('FUNCTION', 'LOAD', library('lib', 'new')), /already exists/);
    // As at the one that refused: nobody keeps the new library, and nobody lacks the old one.
    for (const node of scene.primaries) assert.equal(await call('FCALL', 'lib_f', 1, keyAt(node)), 'old');
    await three!.admin.command('FUNCTION', 'DELETE', 'lib');
    assert.equal(await call('FCALL', 'lib_f', 1, keyAt(three!)), 'old');
    assert.equal(
      await call('FCALL_RO', 'lib_f', 0).catch(String),
      'ReplyError: ERR Can not execute a script with write flag using *_ro command.',
    );
    assert.equal(await call('FUNCTION', 'DELETE', 'lib'), 'OK');
  });

  it('writes MSETEX where its keys belong, or not at all', async () => {
    const slot = keySlot('{m}');
    assert.equal(await call('MSETEX', 2, '{m}a', 1, '{m}b', 2, 'EX', 100), 1);
    assert.equal(await call('MSETEX', 1, '{m}a', 3, 'NX'), 0);
    assert.deepEqual(await client.mget('{m}a', '{m}b'), ['1', '2']);
    await assert.rejects(call('MSETEX', 2, 'a', 1, 'b', 2), /CROSSSLOT.*"a" and "b"/);
    await assert.rejects(call('MSETEX', 1, '{m}a', 1, 'ODD'), /ERR syntax error/);
    await assert.rejects(call('MSETEX', 5, '{m}a', 1), /ERR/);
    const owner = shardOf('{m}');
    const target = scene.primaries.find((node) => node !== owner)!;
    await owner.admin.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', slot, slot, 'NODE', target.id);
    let round = 0;
    await until('the slot has moved', async () => {
      round += 1;
      assert.equal(await call('MSETEX', 2, '{m}a', round, '{m}b', round), 1);
      assert.deepEqual(await client.mget('{m}a', '{m}b'), [String(round), String(round)]);
      return String(await target.admin.command('CLUSTER', 'MYID')) === ownerId(slot);
    });
    assert.equal(await call('MSETEX', 1, '{m}c', 'last'), 1);
    const inside = await client.multi().call('MSETEX', 1, '{m}c', 'inside').get('{m}c').exec();
    assert.deepEqual(inside, [
      [null, 1],
      [null, 'inside'],
    ]);
    assert.equal(await target.admin.command('GET', '{m}c'), 'inside');
    assert.equal(await owner.admin.command('EVAL', 'return #server.call("KEYS", "{m}*")', 0).catch(() => 0), 0);
  });
  const ownerId = (slot: number): string => scene.service.map.nodes[scene.service.map.owners[slot]!]!.id;

  it('routes what names its key further on, and moves between numbered databases', async () => {
    await client.set('{o}k', 'v');
    assert.equal(await call('OBJECT', 'ENCODING', '{o}k'), 'embstr');
    assert.ok(Number(await call('MEMORY', 'USAGE', '{o}k')) > 0);
    assert.equal(await call('XGROUP', 'CREATE', 'stream', 'group', '$', 'MKSTREAM'), 'OK');
    assert.ok(Array.isArray(await call('XINFO', 'STREAM', 'stream')));
    assert.equal(await call('COPY', '{o}k', '{o}k', 'DB', 4), 1);
    assert.equal(await call('MOVE', '{o}k', 5), 1);
    const [four, five] = [client.duplicate({ db: 4 }), client.duplicate({ db: 5 })];
    assert.deepEqual([await client.get('{o}k'), await four.get('{o}k'), await five.get('{o}k')], [null, 'v', 'v']);
    four.disconnect();
    five.disconnect();
  });
});
