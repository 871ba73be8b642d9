import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, it } from 'node:test';
import { takeFileLock } from './file-lock.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'valkeeper-lock-'));
  path = join(folder, 'a.lock');
});
afterEach(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;

it('the second waits, says so once, and gets the lock after the release', async () => {
  const release = await takeFileLock(path, () => assert.fail('nobody else holds it'), never);
  let waits = 0;
  let released = false;
  const second = takeFileLock(path, () => ++waits, never).then((releaseSecond) => {
    assert.equal(released, true);
    releaseSecond();
  });
  await new Promise((resolve) => setImmediate(resolve));
  released = true;
  release();
  await second;
  assert.equal(waits, 1);
});

it('a wait can be given up', async () => {
  const release = await takeFileLock(path, () => {}, never);
  const giveUp = new AbortController();
  await assert.rejects(
    takeFileLock(path, () => giveUp.abort(), giveUp.signal),
    { name: 'AbortError' },
  );
  release();
});

it('the lock of a killed process is free', async () => {
  const script = `
    import { takeFileLock } from ${JSON.stringify(new URL('file-lock.ts', import.meta.url).href)};
    await takeFileLock(${JSON.stringify(path)}, () => {}, new AbortController().signal);
    console.log('held');
    setInterval(() => {}, 60_000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  const release = await takeFileLock(path, () => holder.kill('SIGKILL'), never);
  assert.equal(holder.killed, true, 'it was held before');
  release();
});
