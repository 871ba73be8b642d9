import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { fileError, readJson, writeFileAtomic } from './files.ts';

test('a file is made and replaced, with the mode that was asked for whatever the umask', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'file.json');
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  await writeFileAtomic(path, '{"n":1}');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(await readJson(path), { n: 1 });
  await writeFileAtomic(path, Buffer.from('{"n":2}'), 0o644);
  assert.equal(statSync(path).mode & 0o777, 0o644);
  assert.deepEqual(await readJson(path), { n: 2 });
  assert.deepEqual(readdirSync(dir), ['file.json']);
});

test('readers see the old or the new, never a part', async (t) => {
  const path = join(tempDir(t), 'file');
  const contents = ['a', 'b'].map((letter) => letter.repeat(300_000));
  await writeFileAtomic(path, contents[0]!);
  let writing = true;
  const writes = (async () => {
    for (let n = 0; n < 20; n++) await writeFileAtomic(path, contents[n % 2]!);
    writing = false;
  })();
  let reads = 0;
  while (writing) {
    assert.ok(contents.includes(readFileSync(path, 'utf8')));
    reads += 1;
    await new Promise(setImmediate);
  }
  await writes;
  assert.ok(reads > 20, `${reads} reads`);
});

test('writers of one file at the same time do not disturb each other', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'file.json');
  await Promise.all(Array.from({ length: 20 }, (_, n) => writeFileAtomic(path, JSON.stringify({ n }))));
  assert.ok(Object.hasOwn((await readJson(path)) as object, 'n'));
  assert.deepEqual(readdirSync(dir), ['file.json']);
});

test('a failed write leaves the old content and no temporary file', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'old');
  writeFileSync(path, 'old');
  const unwritable = { length: 1 } as unknown as Uint8Array; // fails after the temporary file was made
  await assert.rejects(writeFileAtomic(path, unwritable), valkeeperError('file_unusable', /Cannot write .*old/));
  assert.equal(readFileSync(path, 'utf8'), 'old');

  const folder = join(dir, 'folder');
  mkdirSync(join(folder, 'full'), { recursive: true });
  await assert.rejects(writeFileAtomic(folder, 'x'), valkeeperError('file_unusable', /it is a folder/));
  assert.deepEqual(readdirSync(dir).sort(), ['folder', 'old']);

  await assert.rejects(
    writeFileAtomic(join(dir, 'none', 'x'), ''),
    valkeeperError('file_unusable', /folder does not exist/),
  );
  await assert.rejects(
    writeFileAtomic(join(path, 'x'), ''),
    valkeeperError('file_unusable', /should be its folder is a file/),
  );
});

test('a full disk is called one', () => {
  // /dev/full answers every write with ENOSPC
  const writeToFullDisk = () => {
    try {
      writeFileSync('/dev/full', 'x');
    } catch (error) {
      throw fileError('write', '/dev/full', error);
    }
  };
  assert.throws(writeToFullDisk, valkeeperError('file_unusable', /the disk is full/));
});

test('JSON that is not there is undefined, what cannot be read or parsed an error', async (t) => {
  const dir = tempDir(t);
  assert.equal(await readJson(join(dir, 'none.json')), undefined);
  const missing = Object.assign(new Error('none'), { code: 'ENOENT' });
  assert.match(fileError('read', '/none.yaml', missing).message, /there is no such file/);
  await assert.rejects(readJson(dir), valkeeperError('file_unusable', /Cannot read .*it is a folder/));
  const torn = join(dir, 'torn.json');
  for (const text of ['', '{"n":', 'null x']) {
    writeFileSync(torn, text);
    await assert.rejects(readJson(torn), valkeeperError('file_damaged', /torn\.json is not readable JSON/));
  }
  writeFileSync(torn, 'null');
  assert.equal(await readJson(torn), null);
});
