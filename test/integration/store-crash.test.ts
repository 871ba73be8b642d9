/** The SQLite store against kill -9: what was acknowledged stays, nothing is torn, and the lock dies with its holder. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { MIGRATIONS, versionOf } from '../../src/store/migrations.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Entry } from '../../src/store/store.ts';
import { valkeeperError } from '../support/errors.ts';
import { tempDir } from '../support/temp-dir.ts';

const SEED = Number(process.env['VALKEEPER_TEST_SEED'] ?? 20260724);
const KILLS = 10;
/** A writer makes some hundred commits in it. */
const MAX_LIFE_MS = 300;
const WRITER = new URL('../support/store-writer.ts', import.meta.url).pathname;

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function startWriter(t: TestContext, ...args: string[]) {
  const child = spawn(process.execPath, [WRITER, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  t.after(() => kill(child, exited));
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  const ended = once(reader, 'close');
  const firstLine = once(reader, 'line').then(([line]) => line as string);
  reader.on('line', (line) => lines.push(line));
  return { child, exited, ended, lines, firstLine };
}

async function kill(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await exited;
}

/** Every entry under a prefix, page by page. */
async function numbersUnder(list: (after: string) => Promise<Entry<{ n: number; text: string }>[]>): Promise<number[]> {
  const numbers: number[] = [];
  for (let after = ''; ; ) {
    const page = await list(after);
    for (const { key, value } of page) {
      assert.equal(value.text, `${value.n}:`.repeat(1 + (value.n % 700)), `${key} is whole`);
      numbers.push(value.n);
    }
    if (page.length === 0) return numbers.sort((a, b) => a - b);
    after = page.at(-1)!.key;
  }
}

test(`kill -9 at any moment loses no acknowledged commit and tears none (seed ${SEED})`, {
  timeout: 120_000,
}, async (t) => {
  const path = join(tempDir(t), 'store.db');
  const random = randomFrom(SEED);
  let next = 0;
  let acknowledgedInAll = 0;
  for (let round = 0; round < KILLS; round++) {
    const { child, exited, ended, lines, firstLine } = startWriter(t, path, 'write', String(next));
    assert.equal(await firstLine, 'open');
    await new Promise((resolve) => setTimeout(resolve, random() * MAX_LIFE_MS)); // the moment is what is tested
    await kill(child, exited);
    await ended;
    const acknowledged = lines.slice(1).map(Number);
    acknowledgedInAll += acknowledged.length;

    const store = openSqliteStore(path);
    const left = await numbersUnder((after) => store.list('left/', { limit: 1000, after }));
    const right = await numbersUnder((after) => store.list('right/', { limit: 1000, after }));
    const count = (await store.get<number>('count'))?.value ?? -1;
    const lastAcknowledged = acknowledged.at(-1) ?? next - 1;
    assert.ok(count >= lastAcknowledged, `round ${round}: ${lastAcknowledged} was acknowledged, ${count} is there`);
    assert.ok(count <= lastAcknowledged + 1, 'at most the commit under way came on top');
    assert.deepEqual(
      left,
      Array.from({ length: count + 1 }, (_, n) => n),
      `round ${round}: no gap`,
    );
    assert.deepEqual(right, left, `round ${round}: commits are whole`);
    assert.equal(await store.revision(), count + 1);
    await store.close();
    next = count + 1;
  }
  assert.ok(acknowledgedInAll > KILLS, `${acknowledgedInAll} commits were acknowledged`);

  const db = new DatabaseSync(path);
  t.after(() => db.close());
  assert.equal(versionOf(db), MIGRATIONS.at(-1)?.version);
  assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
});

test('another process is kept out while the holder lives and let in once it was killed', {
  timeout: 30_000,
}, async (t) => {
  const path = join(tempDir(t), 'store.db');
  const holder = startWriter(t, path, 'hold');
  assert.equal(await holder.firstLine, 'open');
  assert.throws(() => openSqliteStore(path), valkeeperError('store_in_use', /store\.db/));
  const second = startWriter(t, path, 'hold');
  assert.equal(await second.firstLine, 'store_in_use');
  assert.deepEqual(await second.exited, [1, null]);

  await kill(holder.child, holder.exited);
  const store = openSqliteStore(path);
  assert.ok((await store.commit([{ put: 'a', value: 1 }])).ok);
  await store.close();
});

test('of processes that make the same store at the same time one gets it', { timeout: 30_000 }, async (t) => {
  const path = join(tempDir(t), 'store.db');
  const rivals = Array.from({ length: 4 }, () => startWriter(t, path, 'hold'));
  const answers = await Promise.all(rivals.map(({ firstLine }) => firstLine));
  assert.deepEqual(answers.sort(), ['open', 'store_in_use', 'store_in_use', 'store_in_use']);
});
