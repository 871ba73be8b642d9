/** Writers to slots on their way, paced by the endpoint: who waits, how long, and that it ends. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { keySlot } from '../../src/domain/key-slot.ts';
import type { SlotRange } from '../../src/domain/slots.ts';
import { PACE_HOLDS_MS } from '../../src/protocol/endpoint-messages.ts';
import { ByteClient } from '../support/byte-client.ts';
import { type Scene, until } from '../support/endpoint-scene.ts';
import { sharedScene } from '../support/shared-scene.ts';

const PACED: readonly SlotRange[] = [[0, 8_191]];
const isPaced = (key: string): boolean => keySlot(key) <= 8_191;
const keys = Array.from({ length: 200 }, (_, index) => `key:${index}`);
const paced = keys.filter(isPaced);
const others = keys.filter((key) => !isPaced(key));
const [PACED_KEY, OTHER_KEY] = [paced[0]!, others[0]!];
/** So slow that who waits, waits. */
const STANDSTILL = 1;

describe('writers to slots on their way', () => {
  let scene: Scene;
  let client: Redis;
  const opened: ByteClient[] = [];
  sharedScene(
    (made) => {
      ({ scene, client } = made);
    },
    { shards: 2 },
  );
  afterEach(() => {
    pace(null);
    for (const one of opened.splice(0)) one.destroy();
  });

  const pace = (bytesPerSecond: number | null): void =>
    scene.endpoint.pace({ database: scene.config.databases[0]!.uid, slots: PACED, bytesPerSecond });

  async function open(): Promise<{ bytes: ByteClient; id: number }> {
    const bytes = await new ByteClient(scene.port).connected();
    opened.push(bytes);
    return { bytes, id: Number((await bytes.ask('CLIENT', 'ID')).slice(1)) };
  }

  const isHeld = (id: number): boolean => scene.service.peers.get(id)?.blockedOn != null;

  /** Paces, with somebody in the way for half a minute. */
  async function standstill(): Promise<void> {
    const { bytes, id } = await open();
    pace(STANDSTILL);
    for (let count = 0; count < 30; count += 1) bytes.send('SET', PACED_KEY, 'in the way');
    await until('somebody waits', async () => isHeld(id));
  }

  /** Whether the last of these commands waits. Its reply comes in any case. */
  async function waits(...commands: (string | number)[][]): Promise<boolean> {
    const { bytes, id } = await open();
    for (const command of commands.slice(0, -1)) await bytes.ask(...command);
    await standstill();
    let isAnswered = false;
    const answer = bytes.ask(...commands.at(-1)!).then((reply) => {
      isAnswered = true;
      return reply;
    });
    await until('it is answered, or waits', async () => isAnswered || isHeld(id));
    const does = !isAnswered;
    pace(null);
    assert.doesNotMatch(await answer, /^-(?!NOSCRIPT)/);
    return does;
  }

  it('wait, and nobody else does', async () => {
    await client.call('SCRIPT', 'LOAD', '#!lua flags=no-writes\nreturn redis.call("GET", KEYS[1])');
    const sha = await client.call('SCRIPT', 'LOAD', 'return redis.call("SET", KEYS[1], 1)');
    const writers: (string | number)[][][] = [
      [['SET', PACED_KEY, 1]],
      [['LPUSH', `{${PACED_KEY}}list`, 1]],
      [['MSET', OTHER_KEY, 1, PACED_KEY, 1]],
      [['UNLINK', OTHER_KEY, PACED_KEY]],
      [['EVAL', 'return redis.call("SET", KEYS[1], 1)', 1, PACED_KEY]],
      [['EVALSHA', String(sha), 1, PACED_KEY]],
      [['XGROUP', 'CREATE', `{${PACED_KEY}}stream`, 'group', '$', 'MKSTREAM']],
      [['BLPOP', `{${PACED_KEY}}list`, 1]],
      [['MULTI'], ['SET', PACED_KEY, 1], ['EXEC']],
    ];
    for (const commands of writers) assert.equal(await waits(...commands), true, commands.join(' | '));
    const rest: (string | number)[][][] = [
      [['SET', OTHER_KEY, 1]],
      [['MSET', OTHER_KEY, 1, others[1]!, 1]],
      [['GET', PACED_KEY]],
      [['MGET', PACED_KEY, OTHER_KEY]],
      [['EVAL_RO', 'return redis.call("GET", KEYS[1])', 1, PACED_KEY]],
      [['EVAL', '#!lua flags=no-writes\nreturn redis.call("GET", KEYS[1])', 1, PACED_KEY]],
      [['EVAL', 'return redis.call("SET", KEYS[1], 1)', 1, OTHER_KEY]],
      [['PUBLISH', PACED_KEY, 1]],
      [['SPUBLISH', PACED_KEY, 1]],
      [['PING']],
      [['MULTI'], ['SET', PACED_KEY, 1]],
      [['MULTI'], ['SET', PACED_KEY, 1], ['DISCARD']],
      [['MULTI'], ['GET', PACED_KEY], ['EXEC']],
      [['MULTI'], ['SET', OTHER_KEY, 1], ['EXEC']],
    ];
    for (const commands of rest) assert.equal(await waits(...commands), false, commands.join(' | '));
  });

  it('have their commands carried out in order', async () => {
    const { bytes } = await open();
    pace(2_000);
    const value = 'x'.repeat(100);
    for (let index = 0; index < 10; index += 1) {
      bytes.send('APPEND', `{${PACED_KEY}}order`, value);
      bytes.send('STRLEN', `{${PACED_KEY}}order`);
      bytes.send('SET', OTHER_KEY, index);
      bytes.send('GET', OTHER_KEY);
    }
    for (let index = 0; index < 10; index += 1) {
      const length = `:${100 * (index + 1)}\r\n`;
      assert.deepEqual([await bytes.next(), await bytes.next()], [length, length]);
      assert.deepEqual([await bytes.next(), await bytes.next()], ['+OK\r\n', `$1\r\n${index}\r\n`]);
    }
    assert.ok(scene.service.counts.paced > 0);
  });

  it('that are gone write nothing, and none is cut off when the endpoint leaves', async () => {
    const [gone, stays] = [await open(), await open()];
    await standstill();
    for (const { bytes, id } of [gone, stays]) {
      bytes.send('SET', `{${PACED_KEY}}${id}`, 'written');
      await until('it waits', async () => isHeld(id));
    }
    gone.bytes.destroy();
    await until('it is gone', async () => !scene.service.peers.has(gone.id));
    scene.service.drain(0);
    await pause(50);
    assert.ok(isHeld(stays.id));
    pace(null);
    assert.deepEqual(await stays.bytes.closed(), ['+OK\r\n']);
    const present = [gone, stays].map(({ id }) => client.get(`{${PACED_KEY}}${id}`)); // connects again
    assert.deepEqual(await Promise.all(present), [null, 'written']);
  });

  it('write as fast as they are told and no faster, others as fast as they can; all do when it is not told again', async (t) => {
    const rate = 300_000;
    const value = Buffer.alloc(5_000, 'x');
    let isOver = false;
    const written = { paced: 0, others: 0 };
    let reads = 0;
    const running: Promise<void>[] = [];
    const begin = (task: (bytes: ByteClient) => Promise<void>): void => {
      running.push(
        open().then(async ({ bytes }) => {
          while (!isOver) await task(bytes);
        }),
      );
    };
    const writes = (names: readonly string[], kind: keyof typeof written) => async (bytes: ByteClient) => {
      for (const name of names) bytes.send('SET', name, value);
      for (const _ of names) {
        assert.equal(await bytes.next(), '+OK\r\n');
        written[kind] += value.length;
      }
    };
    for (let count = 0; count < 4; count += 1) begin(writes(paced.slice(0, 8), 'paced'));
    begin(writes(others.slice(0, 8), 'others'));
    begin(async (bytes) => {
      assert.match(await bytes.ask('STRLEN', PACED_KEY), /^:/);
      reads += 1;
    });
    const during = async (ms: number) => {
      const [before, readsBefore, since] = [{ ...written }, reads, performance.now()];
      await pause(ms);
      const seconds = (performance.now() - since) / 1_000;
      return {
        paced: (written.paced - before.paced) / seconds,
        others: (written.others - before.others) / seconds,
        reads: (reads - readsBefore) / seconds,
      };
    };
    await pause(300);
    const free = await during(500);
    const toldAt = performance.now();
    pace(rate);
    await pause(400);
    const held = await during(PACE_HOLDS_MS - 900);
    await until('it is over', async () => !scene.service.pacing.isOn);
    const lastedMs = performance.now() - toldAt;
    await pause(200);
    const after = await during(500);
    isOver = true;
    await Promise.all(running);
    t.diagnostic(JSON.stringify({ free, held, after, lastedMs }));
    assert.ok(held.paced > 0.7 * rate && held.paced < 1.3 * rate, `${held.paced} bytes a second`);
    assert.ok(held.others > 3 * rate && held.reads > free.reads / 2, 'others are as fast as they can');
    assert.ok(free.paced > 3 * rate && after.paced > 3 * rate, 'it was the pace');
    assert.ok(lastedMs >= PACE_HOLDS_MS - 50 && lastedMs < PACE_HOLDS_MS + 2_000, `${lastedMs} ms`);
  });
});
