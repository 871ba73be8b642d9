/** A node's data and its log become one RDB, by a real engine: with all that is in them, or with what is wrong. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { endReplay, replay } from '../../src/agent/replay.ts';
import { contentOf, differences } from '../support/content.ts';
import { testEngine } from '../support/engine.ts';
import { fillEveryType, fillMany } from '../support/every-type.ts';
import { processesUnder } from '../support/leaks.ts';
import { startEngine } from '../support/start-engine.ts';
import { tempDir } from '../support/temp-dir.ts';

const NUMBERS = [0, 5, 15];
const LOG = ['--appendonly', 'yes', '--aof-timestamp-enabled', 'yes'];

/** An engine with data, and copies of its data and its log as they are sent to an agent. */
async function scene(t: TestContext) {
  const plain = await startEngine(t, { args: LOG });
  const client = new Redis({ host: plain.host, port: plain.port });
  t.after(() => client.disconnect());
  const folder = tempDir(t);
  const [rdb, log] = [join(folder, 'node.rdb'), join(folder, 'node.log')];
  const copy = (): void => {
    const files = join(plain.dir, 'appendonlydir');
    const named = (part: string): string => join(files, readdirSync(files).find((name) => name.includes(part))!);
    copyFileSync(named('.base.'), rdb);
    copyFileSync(named('.incr.'), log);
  };
  return { client, folder, work: join(folder, 'node.replay'), rdb, log, copy, path: (await testEngine()).serverPath };
}

it('has every key of every database, and functions', async (t) => {
  const { client, folder, work, rdb, log, copy, path } = await scene(t);
  await fillEveryType(client);
  await fillMany(client, 500, 100);
  await client.del('string:int');
  const before = await contentOf([client], NUMBERS);
  copy();
  await replay(path, work, rdb, log);
  assert.deepEqual(readdirSync(folder), ['node.rdb'], 'nothing else is left');
  const restored = await startEngine(t, { args: ['--dir', seeded(t, rdb)] });
  const other = new Redis({ host: restored.host, port: restored.port });
  t.after(() => other.disconnect());
  assert.deepEqual(differences(before, await contentOf([other], NUMBERS)), []);
  assert.equal(await other.call('FCALL', 'double', 1, 'k', 21), 42);
});

/** A folder in which an engine begins with this data. */
function seeded(t: TestContext, rdb: string): string {
  const folder = tempDir(t);
  copyFileSync(rdb, join(folder, 'dump.rdb'));
  return folder;
}

it('says in the words of the engine what is wrong, and leaves nothing behind', async (t) => {
  const { client, folder, work, rdb, log, copy, path } = await scene(t);
  await client.set('a', 'b');
  copy();
  writeFileSync(log, readFileSync(log).subarray(0, -3));
  await assert.rejects(replay(path, work, rdb, log), /Unexpected end of file/);
  assert.equal(existsSync(work), false);
  assert.deepEqual(processesUnder(folder), []);
  await assert.rejects(replay(join(folder, 'no engine'), work, rdb, log));
});

it('ends an engine that was left behind', async (t) => {
  const { client, folder, work, rdb, log, copy, path } = await scene(t);
  await fillMany(client, 20_000, 1_000);
  copy();
  const over = assert.rejects(replay(path, work, rdb, log), /ended by SIGKILL/);
  while (!existsSync(join(work, 'process.json'))) await pause(1);
  endReplay(work);
  await over;
  assert.deepEqual(processesUnder(folder), []);
  mkdirSync(work);
  endReplay(work); // there is none, and that is no error
});
