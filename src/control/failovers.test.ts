import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { tempDir } from '../../test/support/temp-dir.ts';
import type { NewEvent } from '../domain/event.ts';
import { FAILOVER_LIMITS, type FailoverRecord } from '../domain/failover.ts';
import { createLogger } from '../platform/log.ts';
import { openMemoryStore } from '../store/memory.ts';
import type { Agents } from './agents.ts';
import { Failovers } from './failovers.ts';

const DATABASE = { name: 'main', uid: 'uid' };

const recordOf = (number: number, change: Partial<FailoverRecord> = {}): FailoverRecord => ({
  ...{ id: number.toString(16).padStart(12, '0'), database: 'main', databaseUid: 'uid', shard: 'shard-1' },
  ...{ cause: 'process_ended', node: 'a'.repeat(40), machine: 'm1', by: 'm1' },
  candidates: [{ node: 'b'.repeat(40), machine: 'm2', offset: 100 }],
  ...{ chosen: 'b'.repeat(40), mode: 'force', result: { state: 'promoted' } },
  ...{ startedAt: 1_000 + number, tookMs: 14, lostAtMostMs: 312, waitedMs: null },
  timeline: [{ afterMs: 0, what: 'the process ended' }],
  ...change,
});

/** The keeper with agents that only tell. `settled` waits until all that was told has been dealt with. */
function keeper(t: TestContext) {
  const emitter = new EventEmitter();
  const forgotten: unknown[] = [];
  const events: NewEvent[] = [];
  let waiting = 0;
  let settle = (): void => {};
  const request = async (machine: string, operation: string, args: unknown) => {
    assert.equal(operation, 'forget_failover');
    forgotten.push([machine, args]);
    waiting -= 1;
    if (waiting === 0) settle();
    return {};
  };
  const { log } = createLogger({ name: 'test', file: `${tempDir(t)}/log`, level: 'error' });
  const failovers = new Failovers({
    agents: { on: emitter.on.bind(emitter), request } as unknown as Agents,
    store: openMemoryStore(),
    databases: { find: (name) => (name === 'main' ? { uid: 'uid' } : undefined) },
    record: (event) => void events.push(event),
    longestWait: async (uid, node) => (uid === 'uid' && node === 'b'.repeat(40) ? 87.4 : 0),
    clock: { sleep: async () => {} },
    log,
  });
  const tell = async (...records: [record: FailoverRecord, version: number][]): Promise<void> => {
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    waiting += records.length;
    for (const [record, version] of records) emitter.emit('failover', 'm1', record, version);
    await settled;
  };
  return { failovers, forgotten, events, tell };
}

test('a failover is kept and told once, and its agent may forget it', async (t) => {
  const { failovers, forgotten, events, tell } = keeper(t);
  await tell([recordOf(1), 1]);
  await tell([recordOf(1, { waitedMs: 120 }), 2]);
  await tell([recordOf(1, { waitedMs: 120 }), 2]);
  assert.deepEqual(await failovers.list(DATABASE), [recordOf(1, { waitedMs: 120 })]);
  const { id } = recordOf(1);
  assert.deepEqual(
    forgotten,
    [1, 2, 2].map((version) => ['m1', { id, version }]),
  );
  assert.deepEqual(
    events.map(({ kind, severity, message }) => [kind, severity, message]),
    [
      [
        'failover',
        'warning',
        'bbbbbbbb on m2 took the place of aaaaaaaa on m1, whose process ended, in shard-1 by force after 14 ms; nothing was lost that was written more than 312 ms before.',
      ],
    ],
  );
  assert.deepEqual(events[0]!.details, recordOf(1));
});

test('the latest of a database are kept, the latest first', async (t) => {
  const { failovers, tell } = keeper(t);
  const count = FAILOVER_LIMITS.keptPerDatabase + 3;
  await tell(...Array.from({ length: count }, (_, index): [FailoverRecord, number] => [recordOf(index), 1]));
  const kept = await failovers.list(DATABASE);
  assert.equal(kept.length, FAILOVER_LIMITS.keptPerDatabase);
  assert.deepEqual([kept[0]!.startedAt, kept.at(-1)!.startedAt], [1_000 + count - 1, 1_003]);
});

test('what is none, or of no database, is neither kept nor told for ever', async (t) => {
  const { failovers, forgotten, events, tell } = keeper(t);
  await tell(
    [recordOf(1, { databaseUid: 'of a database before' }), 1],
    [recordOf(2, { database: 'other' }), 1],
    [recordOf(3, { tookMs: -1 }), 1],
    [{ ...recordOf(4), timeline: 'long' } as unknown as FailoverRecord, 1],
  );
  assert.deepEqual([await failovers.list(DATABASE), events.length, forgotten.length], [[], 0, 4]);
});

test('an agent acts in its own name', async (t) => {
  const { failovers, tell } = keeper(t);
  await tell([recordOf(1, { by: 'm9' }), 1]);
  assert.equal((await failovers.list(DATABASE))[0]!.by, 'm1');
});

test('with a database its failovers go', async (t) => {
  const { failovers, tell } = keeper(t);
  await tell([recordOf(1), 1]);
  failovers.forget('main');
  await tell([recordOf(2), 1]);
  assert.deepEqual(
    (await failovers.list(DATABASE)).map(({ startedAt }) => startedAt),
    [1_002],
  );
});

test('one that was made from here says how long commands waited, once that is known', async (t) => {
  const { failovers, events } = keeper(t);
  failovers.note(recordOf(1, { by: 'the control plane' }));
  failovers.note(recordOf(2, { by: 'the control plane', database: 'gone' }));
  while ((await failovers.list(DATABASE))[0]?.waitedMs !== 87) await setTimeout(1);
  assert.equal(events.length, 2, 'told once each');
  assert.deepEqual(await failovers.list({ name: 'gone', uid: 'uid' }), [
    recordOf(2, { by: 'the control plane', database: 'gone' }),
  ]);
});
