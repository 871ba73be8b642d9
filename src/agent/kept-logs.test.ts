/** The files of a log stay as long as somebody is to fetch them, whatever the engine does with its own names. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { KeptLogs } from './kept-logs.ts';
import type { SupervisedNode } from './supervised-node.ts';

const ID = 'a'.repeat(40);

function scene(t: TestContext) {
  const path = tempDir(t);
  const folder = join(path, 'appendonlydir');
  mkdirSync(folder);
  const node = {
    id: ID,
    process: { pid: 7, startTime: 11 },
    directory: { path },
    fork: { told: {}, isAsked: false, isLogLong: false },
  };
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const manifest = (...lines: string[]): void => write('appendonly.aof.manifest', `${lines.join('\n')}\n`);
  const disk = { isFull: false };
  const find = (id: string) => (id === ID ? (node as unknown as SupervisedNode) : undefined);
  const logs = new KeptLogs('machine-1', find, () => disk.isFull);
  const list = async (from: number) => {
    const { files, life } = await logs.list({ id: ID, from, isLong: from > 1 });
    return { life, files: files.map(({ name, bytes, isPresent }) => `${name.slice(15)} ${bytes} ${isPresent}`) };
  };
  const text = async (file: string, offset = 0): Promise<string> =>
    Buffer.from((await logs.read({ id: ID, file: `appendonly.aof.${file}`, offset })).data, 'base64').toString();
  write('appendonly.aof.1.base.rdb', 'base');
  write('appendonly.aof.1.incr.aof', 'one');
  manifest('file appendonly.aof.1.base.rdb seq 1 type b', 'file appendonly.aof.1.incr.aof seq 1 type i');
  return { path, folder, node, disk, logs, list, text, write, manifest };
}

it('lists a log as it is, and reads it as it grows', async (t) => {
  const { folder, list, text, node } = scene(t);
  const { files, life } = await list(1);
  assert.deepEqual(files, ['1.base.rdb 4 true', '1.incr.aof 3 true']);
  appendFileSync(join(folder, 'appendonly.aof.1.incr.aof'), 'more');
  assert.equal(await text('1.incr.aof', 3), 'more');
  assert.equal(await text('1.incr.aof', 7), '');
  assert.deepEqual((await list(1)).files, ['1.base.rdb 4 true', '1.incr.aof 7 true']);
  node.process = { pid: 7, startTime: 12 };
  assert.notEqual((await list(1)).life, life, 'another process of the same number');
});

it('keeps files that were written anew until they are not wanted any more', async (t) => {
  const { path, folder, list, text, write, manifest, node } = scene(t);
  await list(1);
  rmSync(join(folder, 'appendonly.aof.1.base.rdb'));
  rmSync(join(folder, 'appendonly.aof.1.incr.aof'));
  write('appendonly.aof.2.base.rdb', 'newer');
  write('appendonly.aof.2.incr.aof', 'two');
  manifest(
    'file appendonly.aof.2.base.rdb seq 2 type b',
    'file appendonly.aof.1.incr.aof seq 1 type h',
    'file appendonly.aof.2.incr.aof seq 2 type i',
  );
  assert.deepEqual((await list(1)).files, ['1.incr.aof 3 false', '2.base.rdb 5 true', '2.incr.aof 3 true']);
  assert.equal(await text('1.incr.aof'), 'one');
  assert.equal(node.fork.isLogLong, false);
  assert.deepEqual((await list(2)).files, ['2.base.rdb 5 true', '2.incr.aof 3 true']);
  assert.equal(node.fork.isLogLong, true, 'it is to be written anew');
  await assert.rejects(text('1.incr.aof'), valkeeperError('append_log_unusable', /not kept any more/));
  assert.deepEqual(readdirSync(join(path, 'kept-log')).length, 2);
});

it('keeps nothing of before on a disk that is about to be full', async (t) => {
  const { folder, list, write, manifest, disk } = scene(t);
  await list(1);
  rmSync(join(folder, 'appendonly.aof.1.incr.aof'));
  write('appendonly.aof.2.base.rdb', 'newer');
  write('appendonly.aof.2.incr.aof', 'two');
  manifest('file appendonly.aof.2.base.rdb seq 2 type b', 'file appendonly.aof.2.incr.aof seq 2 type i');
  disk.isFull = true;
  assert.deepEqual((await list(1)).files, ['2.base.rdb 5 true', '2.incr.aof 3 true']);
});

it('takes another file of the same name for another file', async (t) => {
  const { folder, list, text, write } = scene(t);
  await list(1);
  write('new', 'begun anew');
  renameSync(join(folder, 'new'), join(folder, 'appendonly.aof.1.incr.aof'));
  assert.deepEqual((await list(1)).files, ['1.base.rdb 4 true', '1.incr.aof 10 true']);
  assert.equal(await text('1.incr.aof'), 'begun anew');
});

it('lets go when it is told to, and refuses what is no log', async (t) => {
  const { path, folder, node, logs, list, text } = scene(t);
  await list(1);
  logs.drop(ID);
  assert.equal(existsSync(join(path, 'kept-log')), false);
  for (const file of ['../../node.json', '1.incr.aof/../../x', '9.incr.aof']) {
    await assert.rejects(text(file), valkeeperError('append_log_unusable'));
  }
  rmSync(join(folder, 'appendonly.aof.manifest'));
  await assert.rejects(list(1), valkeeperError('append_log_unusable', /no append-only log/));
  node.process = null as never;
  await assert.rejects(list(1), valkeeperError('append_log_unusable', /does not run/));
  await assert.rejects(logs.list({ id: 'b'.repeat(40), from: 0, isLong: false }), valkeeperError('node_not_found'));
});
