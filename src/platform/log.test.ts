import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { createLogger } from './log.ts';

type Line = Record<string, unknown> & { msg: string };
const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
const readLines = (file: string): Line[] => linesOf(readFileSync(file, 'utf8'));

/** Runs a script that has `createLogger` in a process of its own. */
const run = (script: string) =>
  spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { createLogger } from ${JSON.stringify(new URL('log.ts', import.meta.url).href)};\n${script}`,
    ],
    { encoding: 'utf8' },
  );

test('lines are JSON with time, level, name and fields; what is below the level is left out', async (t) => {
  const file = join(tempDir(t), 'server.log');
  const { log, close } = createLogger({ name: 'server', file, level: 'info' });
  log.debug('not this');
  log.info('started');
  log.warn({ port: 1 }, 'taken');
  log
    .child({ database: 'main', shard: 'shard-1' })
    .child({ node: 'n', step: 's' })
    .error({ err: new Error('broken') }, 'failed');
  await close();
  const lines = readLines(file);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      ['info', 'started'],
      ['warn', 'taken'],
      ['error', 'failed'],
    ],
  );
  const [started, taken, failed] = lines as [Line, Line, Line];
  assert.deepEqual([started['name'], started['pid']], ['server', process.pid]);
  assert.ok(Math.abs(Date.parse(String(started['time'])) - Date.now()) < 10_000);
  assert.equal(taken['port'], 1);
  assert.deepEqual(
    [failed['database'], failed['shard'], failed['node'], failed['step']],
    ['main', 'shard-1', 'n', 's'],
  );
  const { message, stack } = failed['err'] as Record<string, string>;
  assert.equal(message, 'broken');
  assert.match(String(stack), /log\.test\.ts/);
});

test('a process that exits, or dies of an exception, has written all its lines', (t) => {
  const dir = tempDir(t);
  const logLines = (file: string, count: number) =>
    `const { log } = createLogger({ name: 'x', file: ${JSON.stringify(file)}, level: 'info' });
     for (let n = 0; n < ${count}; n++) log.info({ n }, 'line');`;
  for (const [name, end, status] of [
    ['exit', 'process.exit(0)', 0],
    ['throw', 'throw new Error("x")', 1],
  ] as const) {
    for (const count of [1, 3000]) {
      const file = join(dir, `${name}-${count}.log`);
      assert.equal(
        run(`${logLines(file, count)}\nsetImmediate(() => { ${logLines(`${file}.2`, 1)} ${end}; });`).status,
        status,
      );
      assert.deepEqual(
        readLines(file).map(({ n }) => n),
        Array.from({ length: count }, (_, n) => n),
      );
      assert.equal(readLines(`${file}.2`).length, 1, 'even when it was just opened');
    }
  }
});

test('without a file lines go to stderr', () => {
  const { stderr, stdout } = run(`createLogger({ name: 'x', level: 'info' }).log.info('to stderr')`);
  assert.deepEqual(
    linesOf(stderr).map(({ msg }) => msg),
    ['to stderr'],
  );
  assert.equal(stdout, '');
});

test('a full disk costs lines, not the process', () => {
  const { status, stderr } = run(`
    const { log } = createLogger({ name: 'x', file: '/dev/full', level: 'info' });
    for (let n = 0; n < 30_000; n++) log.info({ n }, 'x'.repeat(100));
    setImmediate(() => { log.info('still here'); });`);
  assert.equal(stderr, '');
  assert.equal(status, 0);
});
