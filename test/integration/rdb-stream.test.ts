/** A node's data as it streams it: whole, or an error; what is read slowly is held by the node, and not here. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { EngineReplyError, EngineUnreachable } from '../../src/valkey/engine-errors.ts';
import { withGentleChild } from '../../src/valkey/gentle-child.ts';
import { problemOfRdb } from '../../src/valkey/rdb-checksum.ts';
import { rdbHeader } from '../../src/valkey/rdb-header.ts';
import { openRdbStream } from '../../src/valkey/rdb-stream.ts';
import { type RunningEngine, startEngine } from '../support/start-engine.ts';

const KEYS = 2_000;
const VALUE_BYTES = 20_000;

/** A server with some 40 MB that nothing compresses. */
async function filled(t: TestContext): Promise<RunningEngine> {
  const engine = await startEngine(t, { args: ['--rdbcompression', 'no', '--repl-diskless-sync-delay', '0'] });
  const client = new Redis({ host: engine.host, port: engine.port });
  const keys = Array.from({ length: KEYS }, (_, index) => `key:${index}`);
  await Promise.all(keys.map((key) => client.set(key, key.repeat(VALUE_BYTES / key.length))));
  client.disconnect();
  return engine;
}

const sessionTo = ({ host, port }: RunningEngine) => ({ host, port, connectTimeoutMs: 2_000 });

async function* counted(bytes: AsyncIterable<Buffer>, seen: { bytes: number; head: Buffer }): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    if (seen.bytes === 0) seen.head = Buffer.from(chunk.subarray(0, 1_000));
    seen.bytes += chunk.length;
    yield chunk;
  }
}

it('is the whole RDB of one moment', async (t) => {
  const before = Date.now();
  const { bytes, forkedAt } = await openRdbStream(sessionTo(await filled(t)), Date.now);
  assert.ok(forkedAt >= before && forkedAt <= Date.now());
  const seen = { bytes: 0, head: Buffer.alloc(0) };
  assert.equal(await problemOfRdb(counted(bytes, seen)), null);
  assert.ok(seen.bytes > KEYS * VALUE_BYTES * 0.9, `${seen.bytes}`);
  const header = rdbHeader(seen.head)!;
  assert.deepEqual([header.magic, header.version], ['VALKEY', 80]);
  assert.match(header.fields.get('valkey-ver') ?? '', /^9\./);
  assert.match(header.fields.get('repl-id') ?? '', /^[0-9a-f]{40}$/);
});

it('of a gentle child is whole, and the node as before', async (t) => {
  const engine = await filled(t);
  const asking = new Redis({ host: engine.host, port: engine.port });
  t.after(() => asking.disconnect());
  const setting = async (): Promise<string> => ((await asking.config('GET', 'rdb-key-save-delay')) as string[])[1]!;
  const node = { command: (...args: (string | number)[]) => asking.call(String(args[0]), ...args.slice(1)) as never };
  const { bytes } = await withGentleChild(node as never, VALUE_BYTES / 10, async () => {
    assert.equal(await setting(), '-8');
    return openRdbStream(sessionTo(engine), Date.now);
  });
  assert.equal(await setting(), '0');
  assert.equal(await problemOfRdb(bytes), null);
});

it('of an empty server is an RDB, too', async (t) => {
  const { bytes } = await openRdbStream(sessionTo(await startEngine(t)), Date.now);
  assert.equal(await problemOfRdb(bytes), null);
});

it('waits for a slow reader: the node holds what is not asked for yet', async (t) => {
  const engine = await filled(t);
  const { bytes } = await openRdbStream(sessionTo(engine), Date.now);
  const asking = new Redis({ host: engine.host, port: engine.port });
  t.after(() => asking.disconnect());
  let held = '';
  const slowly = (async function* () {
    for await (const chunk of bytes) {
      if (held === '') {
        await pause(1_500); // time enough to send all, were it taken
        held = await asking.info('persistence');
      }
      yield chunk;
    }
  })();
  assert.equal(await problemOfRdb(slowly), null);
  assert.match(held, /^rdb_bgsave_in_progress:1/m);
});

it('ends with an error when its node is killed, or nobody wants it any more', async (t) => {
  const engine = await filled(t);
  const { bytes } = await openRdbStream(sessionTo(engine), Date.now);
  const cut = (async () => {
    for await (const _ of bytes) process.kill(engine.pid, 'SIGKILL');
  })();
  await assert.rejects(cut, EngineUnreachable);

  const other = await filled(t);
  const stop = new AbortController();
  const given = await openRdbStream(sessionTo(other), Date.now, stop.signal);
  const left = (async () => {
    for await (const _ of given.bytes) stop.abort(new Error('enough'));
  })();
  await assert.rejects(left, /enough/);
  const { bytes: again } = await openRdbStream(sessionTo(other), Date.now);
  assert.equal(await problemOfRdb(again), null, 'the node gives it to the next');
});

it('is refused by who may not have it, and by what is not there', async (t) => {
  const args = ['--user', 'guest', 'on', 'nopass', '~*', '+@all', '-sync', '-psync'];
  const engine = await startEngine(t, { args });
  const asGuest = openRdbStream({ ...sessionTo(engine), username: 'guest', password: 'x' }, Date.now);
  await assert.rejects(asGuest, (error) => error instanceof EngineReplyError && error.code === 'NOPERM');
  await engine.stop();
  await assert.rejects(openRdbStream(sessionTo(engine), Date.now), EngineUnreachable);
});
