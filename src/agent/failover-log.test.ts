import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { FAILOVER_LIMITS } from '../domain/failover.ts';
import { createLogger } from '../platform/log.ts';
import type { FailoverTold } from '../protocol/agent-messages.ts';
import { type FailoverBeginning, FailoverLog, type FailoverOutcome } from './failover-log.ts';

const ABOUT: FailoverBeginning = {
  ...{ database: 'main', databaseUid: 'uid', shard: 'shard-1', cause: 'process_ended' },
  ...{ node: 'a'.repeat(40), machine: 'm1', by: 'm1' },
};
const PROMOTED: FailoverOutcome = {
  candidates: [{ node: 'b'.repeat(40), machine: 'm2', offset: 100 }],
  ...{ chosen: 'b'.repeat(40), mode: 'force', result: { state: 'promoted' }, lostAtMostMs: 0 },
};

/** A log in a folder, as one run of the agent has it. */
async function open(t: TestContext, dir = tempDir(t)) {
  const { log: logger } = createLogger({ name: 'test', file: join(dir, 'log'), level: 'error' });
  const told: FailoverTold[] = [];
  const log = await FailoverLog.open(dir, (message) => told.push(structuredClone(message)), logger);
  return { dir, log, told, file: join(dir, 'failovers.json') };
}

test('a failover is told when it is over, with its story', async (t) => {
  const { log, told } = await open(t);
  const story = log.begin(ABOUT);
  story.note('the process ended: killed by SIGKILL');
  assert.equal(told.length, 0);
  await story.end(PROMOTED);
  assert.equal(told.length, 1);
  const { record, version } = told[0]!;
  assert.equal(version, 1);
  assert.equal(record.shard, 'shard-1');
  assert.deepEqual(record.result, { state: 'promoted' });
  assert.deepEqual(
    record.timeline.map(({ what }) => what),
    ['the process ended: killed by SIGKILL'],
  );
  assert.ok(record.tookMs >= record.timeline[0]!.afterMs);
});

test('it is told again by the next run of the agent, until a control plane has this very version', async (t) => {
  const first = await open(t);
  const story = first.log.begin(ABOUT);
  await story.end(PROMOTED);
  const second = await open(t, first.dir);
  second.log.tellAll();
  assert.deepEqual(second.told, first.told);

  const { id } = first.told[0]!.record;
  await story.waited(140);
  await first.log.forget(id, 1); // the word for the first version comes late
  const third = await open(t, first.dir);
  third.log.tellAll();
  assert.deepEqual(
    third.told.map(({ record, version }) => [record.waitedMs, version]),
    [[140, 2]],
  );
  await third.log.forget(id, 2);
  const fourth = await open(t, first.dir);
  fourth.log.tellAll();
  assert.deepEqual(fourth.told, []);
});

test('what comes after the end is told with it', async (t) => {
  const { log, told } = await open(t);
  const story = log.begin(ABOUT);
  await story.end(PROMOTED);
  story.note('started again, fenced');
  await story.waited(140); // written, like what was noted before it
  assert.deepEqual(
    told.map(({ record, version }) => [version, record.timeline.length, record.waitedMs]),
    [
      [1, 0, null],
      [2, 1, null],
      [3, 1, 140],
    ],
  );
});

test('records and their parts are bounded', async (t) => {
  const { dir, log, told } = await open(t);
  const { waiting, moments, momentChars, candidates, recordBytes } = FAILOVER_LIMITS;
  const ends: Promise<void>[] = [];
  for (let index = 0; index < waiting + 3; index += 1) ends.push(log.begin(ABOUT).end(PROMOTED));
  const long = log.begin(ABOUT);
  for (let index = 0; index < moments * 2; index += 1) long.note('x'.repeat(momentChars * 2));
  const result = { state: 'given_up', reason: 'y'.repeat(5_000) } as const;
  ends.push(long.end({ ...PROMOTED, result, candidates: Array.from({ length: 99 }, () => PROMOTED.candidates[0]!) }));
  await Promise.all(ends);
  const { record } = told.at(-1)!;
  assert.deepEqual([record.timeline.length, record.candidates.length], [moments, candidates]);
  assert.ok(JSON.stringify(record).length <= recordBytes, `${JSON.stringify(record).length} bytes`);
  const again = await open(t, dir);
  again.log.tellAll();
  assert.equal(again.told.length, waiting);
  assert.deepEqual(again.told.at(-1)!.record, record);
});

test('neither a damaged file nor a folder that cannot be written stops anything', async (t) => {
  const { dir, file } = await open(t);
  for (const damaged of ['[{"rec', '{}', '[7]']) {
    writeFileSync(file, damaged);
    await open(t, dir);
    assert.equal(readFileSync(`${file}.damaged`, 'utf8'), damaged);
  }
  const { log, told } = await open(t, dir);
  mkdirSync(file); // root may write anywhere, but not in a folder's place
  await log.begin(ABOUT).end(PROMOTED);
  assert.equal(told.length, 1);
  rmSync(file, { recursive: true });
  await log.forget('no such record', 1);
  await log.begin(ABOUT).end(PROMOTED);
  assert.ok(existsSync(file));
});
