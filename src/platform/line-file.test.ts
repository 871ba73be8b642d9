import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { LINE_FILE_LIMITS, LineFile } from './line-file.ts';

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${String(from + index).padStart(6, '0')} ${'x'.repeat(92)}`);

test('lines arrive whole and in order, appended to what was there, in a private file', async (t) => {
  const path = join(tempDir(t), 'a.log');
  for (const part of [0, 1]) {
    const file = new LineFile(path);
    for (const line of numbered(part * 1000, part * 1000 + 1000)) file.write(`${line}\n`);
    await file.close();
  }
  assert.deepEqual(linesOf(path), numbered(0, 2000));
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a file that has grown too large is put aside, before and while it is written, and one old one is kept', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'a.log');
  const maxFileBytes = 100_000;
  writeFileSync(path, 'old\n'.repeat(maxFileBytes));
  const first = new LineFile(path, maxFileBytes);
  first.write('new\n');
  await first.close();
  assert.deepEqual(linesOf(path), ['new']);
  assert.equal(linesOf(`${path}.1`).length, maxFileBytes);

  const second = new LineFile(path, maxFileBytes);
  const lines = numbered(0, 8000);
  for (const line of lines) second.write(`${line}\n`);
  await second.close();
  assert.deepEqual(readdirSync(dir), ['a.log', 'a.log.1']);
  const kept = [...linesOf(`${path}.1`), ...linesOf(path)];
  assert.ok(kept.length >= maxFileBytes / 100 && kept.length < lines.length, `${kept.length} lines kept`);
  assert.deepEqual(kept, lines.slice(-kept.length), 'the last ones, without a gap');
  for (const name of readdirSync(dir)) {
    assert.ok(statSync(join(dir, name)).size <= maxFileBytes + LINE_FILE_LIMITS.writeBytes + 100, name);
    assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600);
  }
});

test('what waits for the disk is bounded, and what was taken is written', async (t) => {
  const path = join(tempDir(t), 'a.log');
  const file = new LineFile(path);
  const lines = numbered(0, 20_000);
  for (const line of lines) file.write(`${line}\n`); // 2 MB in one go: the disk has no say in between
  await file.close();
  const written = linesOf(path);
  assert.deepEqual(written, lines.slice(0, written.length));
  assert.ok(Math.abs(statSync(path).size - LINE_FILE_LIMITS.waitingBytes) < 1000, `${statSync(path).size} bytes`);
});

test('a full disk costs lines only', async () => {
  const file = new LineFile('/dev/full'); // answers every write with ENOSPC
  for (const line of numbered(0, 20_000)) file.write(`${line}\n`);
  await new Promise(setImmediate);
  file.write('again\n');
  await file.close();
});

test('a file that cannot be put aside goes on growing', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'a.log');
  mkdirSync(join(dir, 'a.log.1', 'in the way'), { recursive: true });
  const file = new LineFile(path, 1000);
  for (const line of numbered(0, 3000)) file.write(`${line}\n`);
  await file.close();
  assert.deepEqual(linesOf(path), numbered(0, 3000));
});

test('a file that cannot be opened is named', (t) => {
  const dir = tempDir(t);
  const open = (path: string) => () => new LineFile(path);
  const problem = /Cannot open .*a\.log: its folder does not exist/;
  assert.throws(open(join(dir, 'none', 'a.log')), valkeeperError('file_unusable', problem));
  assert.throws(open(dir), valkeeperError('file_unusable', /it is a folder/));
});
