import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { blobStoreContract, only, read } from '../../test/support/blob-store-contract.ts';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { openFolderStore } from './folder-store.ts';

blobStoreContract('folder', (t) => openFolderStore(join(tempDir(t), 'made', 'with the first')));

/** Opens a store in a process of its own. @param then what it does with `store` */
const script = (root: string, then: string): string => `
  const { openFolderStore } = await import(${JSON.stringify(new URL('folder-store.ts', import.meta.url).href)});
  const store = openFolderStore(${JSON.stringify(root)});
  ${then}`;

describe('folder', () => {
  test('only its owner may look into it, and no folder is left without a blob', async (t) => {
    const root = join(tempDir(t), 'root');
    const store = openFolderStore(root);
    await store.put('a/b/c', only('x'));
    await store.put('a/d', only('x'));
    const mode = (name: string) => statSync(join(root, name)).mode & 0o777;
    assert.deepEqual(['', 'a', 'a/b', 'a/b/c'].map(mode), [0o700, 0o700, 0o700, 0o600]);
    await store.remove('a/b/c');
    assert.deepEqual(readdirSync(root, { recursive: true }).toSorted(), ['a', 'a/d']);
    await store.remove('a/d');
    assert.deepEqual(readdirSync(root), []);
  });

  test('a writer that is killed in the middle leaves no blob, and what it leaves is swept by its age', async (t) => {
    const root = tempDir(t);
    const store = openFolderStore(root);
    await store.put('a/old', only('old'));
    const endless = `async function* () {
      yield Buffer.alloc(1_000_000);
      console.log('half');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    }`;
    const argv = ['--input-type=module', '-e', script(root, `await store.put('a/old', (${endless})());`)];
    const writer = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(writer.stdout, 'data');
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    assert.equal(readdirSync(join(root, 'a')).length, 2, 'it had begun');
    assert.equal(await read(store, 'a/old'), 'old');
    assert.deepEqual(
      (await store.list('')).map(({ name }) => name),
      ['a/old'],
    );
    assert.equal(await store.sweep(60_000), 0);
    const left = readdirSync(join(root, 'a')).find((name) => name !== 'old')!;
    utimesSync(join(root, 'a', left), new Date(), new Date(Date.now() - 61_000));
    assert.equal(await store.sweep(60_000), 1);
    assert.deepEqual(readdirSync(join(root, 'a')), ['old']);
  });

  test('a blob is put though others remove its folder whenever it is empty', async (t) => {
    const root = tempDir(t);
    const store = openFolderStore(root);
    const then = `
      const { rmdirSync } = await import('node:fs');
      console.log('begun');
      const pause = new Int32Array(new SharedArrayBuffer(4));
      for (const end = Date.now() + 10_000; Date.now() < end; Atomics.wait(pause, 0, 0, 0.2)) {
        try { rmdirSync(${JSON.stringify(join(root, 'a'))}); } catch {}
      }`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script(root, then)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => other.kill('SIGKILL'));
    await once(other.stdout, 'data');
    for (let n = 0; n < 30; n++) {
      await store.put('a/b', only('x'));
      await store.remove('a/b');
    }
  });

  test('what others have put there is not seen, and not swept', async (t) => {
    const root = tempDir(t);
    for (const name of ['a b', '.x~', 'notes~']) writeFileSync(join(root, name), 'x');
    const store = openFolderStore(root);
    assert.deepEqual(await store.list(''), []);
    assert.equal(await store.sweep(0), 0);
  });

  test('a file in the place of the folder, or of one in it, is told', async (t) => {
    const file = join(tempDir(t), 'file');
    writeFileSync(file, 'x');
    const store = openFolderStore(file);
    const told = valkeeperError('backup_store_unusable', /what should be its folder is a file/);
    await assert.rejects(store.put('a', only('x')), told);
    await assert.rejects(store.list(''), told);
    await assert.rejects(store.sweep(0), told);
    const root = tempDir(t);
    const other = openFolderStore(root);
    await other.put('a', only('x'));
    await assert.rejects(other.put('a/b', only('x')), told);
    mkdirSync(join(root, 'folder', 'full'), { recursive: true });
    await assert.rejects(other.put('folder', only('x')), valkeeperError('backup_store_unusable', /it is a folder/));
    assert.equal(await other.sweep(0), 0);
  });

  test('a folder that may not be written to is told, with who must be let in', (t) => {
    const root = join(tempDir(t), 'root');
    mkdirSync(root);
    chmodSync(root, 0o500);
    // Root may write anywhere: it becomes somebody else, once everything is loaded.
    const then = `
      if (process.geteuid() === 0) process.seteuid(65534);
      await store.put('a', (async function* () {})()).catch((error) => console.log(error.code, error.message, error.hint));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script(root, then)], {
      encoding: 'utf8',
    });
    assert.match(
      stdout,
      /^backup_store_unusable .*root\/a: permission denied.* Let the user with the id \d+ write there/,
    );
  });

  test('a file that cannot grow is told, and nothing of it stays', (t) => {
    const root = tempDir(t);
    const then = `
      const mib = async function* () { yield Buffer.alloc(2 ** 20); };
      await store.put('a', mib()).catch((error) => console.log(error.code, error.message, error.hint));`;
    // A limit of the process stands for a full disk.
    const argv = ['-c', 'ulimit -f 100; trap "" XFSZ; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e'];
    const { stdout } = spawnSync('sh', [...argv, script(root, then)], { encoding: 'utf8' });
    assert.match(
      stdout,
      /^backup_store_unusable .*cannot write .*\/a: the file would grow beyond its limit\. Look at /,
    );
    assert.deepEqual(readdirSync(root), []);
  });
});
