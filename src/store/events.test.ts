import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { Event, NewEvent } from '../domain/event.ts';
import { EVENT_LIMITS, openEventLog } from './events.ts';
import { openMemoryStore } from './memory.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const event = (message: string, more: Partial<NewEvent> = {}): NewEvent => ({
  kind: 'step_done',
  severity: 'info',
  message,
  ...more,
});
const seqs = (events: readonly Event[]): number[] => events.map(({ seq }) => seq);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** A log with `count` events; every tenth is about the database `rare`, the others are about `main`. */
async function filledLog(store: Store, count: number, retention?: number) {
  const log = await openEventLog(store, retention);
  const databaseOf = (n: number) => (n % 10 === 0 ? 'rare' : 'main');
  await Promise.all(
    range(1, count).map((n) => log.append(event(`event ${n}`, { database: databaseOf(n) }), NOW_MS + n)),
  );
  return log;
}

test('an event gets its number and time and comes back as it was reported', async () => {
  const log = await openEventLog(openMemoryStore());
  assert.deepEqual(await log.list(), []);
  const full = event('Node started.', {
    severity: 'warning',
    database: 'main',
    shard: 'shard-1',
    node: 'ab'.repeat(20),
    machine: 'm1',
    details: { pid: 7 },
  });
  const appended = await log.append(full, NOW_MS);
  assert.deepEqual(appended, { ...full, seq: 1, at: '2026-01-02T03:04:05.000Z' });
  assert.deepEqual(await log.list(), [appended]);
});

test('events appended in one go share commits and keep their order', async () => {
  const store = openMemoryStore();
  const log = await filledLog(store, 200);
  assert.equal(await store.revision(), Math.ceil(200 / EVENT_LIMITS.batch));
  const all = await log.list({ limit: 1000 });
  assert.deepEqual(seqs(all), range(1, 200));
  assert.deepEqual(
    all.map(({ message }) => message),
    range(1, 200).map((n) => `event ${n}`),
  );
});

test('without after come the newest, with it those that follow', async () => {
  const log = await filledLog(openMemoryStore(), 2500);
  assert.deepEqual(seqs(await log.list()), range(2401, 2500));
  assert.deepEqual(seqs(await log.list({ limit: 3 })), [2498, 2499, 2500]);
  assert.deepEqual(seqs(await log.list({ after: 0, limit: 3 })), [1, 2, 3]);
  assert.deepEqual(seqs(await log.list({ after: 2498 })), [2499, 2500]);
  assert.deepEqual(await log.list({ after: 2500 }), []);
  assert.deepEqual(await log.list({ after: 9999 }), []);
  assert.deepEqual(seqs(await log.list({ database: 'rare', limit: 3 })), [2480, 2490, 2500]);
  assert.deepEqual(seqs(await log.list({ database: 'rare', after: 15, limit: 3 })), [20, 30, 40]);
  assert.deepEqual(
    seqs(await log.list({ database: 'rare', limit: 1000 })),
    range(1, 250).map((n) => n * 10),
  );
  assert.deepEqual(
    seqs(await log.list({ database: 'rare', after: 0, limit: 249 })),
    range(1, 249).map((n) => n * 10),
  );
  assert.deepEqual(await log.list({ database: 'none' }), []);
  for (const limit of [0, 1.5, 1001]) await assert.rejects(log.list({ limit }), valkeeperError('store_limit', /limit/));
});

test('the oldest go in batches, and numbers go on where they were after opening again', async () => {
  const store = openMemoryStore();
  const { batch } = EVENT_LIMITS;
  const log = await filledLog(store, 1000, 200);
  const kept = await log.list({ limit: 1000 });
  assert.ok(kept.length >= 200 && kept.length < 200 + 2 * batch, `${kept.length} kept`);
  assert.deepEqual(seqs(kept), range(1001 - kept.length, 1000));
  assert.deepEqual(await log.list({ after: 0, limit: 1000 }), kept);
  assert.equal((await store.list('', { limit: 1000 })).length, kept.length, 'nothing else is left in the store');

  const again = await openEventLog(store, 200);
  assert.deepEqual(await again.list({ limit: 1000 }), kept);
  for (const n of range(1001, 1300)) {
    assert.equal((await again.append(event('one by one'), NOW_MS)).seq, n);
    const { length } = await store.list('', { limit: 1000 });
    assert.ok(length >= 200 && length < 200 + 2 * batch, `${length} kept`);
  }
});

test('a log of thousands is opened as it was left', async () => {
  const store = openMemoryStore();
  await filledLog(store, 2000);
  const again = await openEventLog(store);
  assert.equal((await again.append(event('next'), NOW_MS)).seq, 2001);
  assert.equal((await again.list({ after: 0, limit: 1 }))[0]?.seq, 1);
});

test('a subscriber hears every event once, in order, until it leaves, and nothing of trimming', async () => {
  const log = await openEventLog(openMemoryStore(), 10);
  await log.append(event('before'), NOW_MS);
  const heard: Event[] = [];
  const leave = log.subscribe((one) => heard.push(one));
  const appended = await Promise.all(range(2, 300).map((n) => log.append(event(`event ${n}`), NOW_MS)));
  await new Promise(setImmediate);
  assert.deepEqual(heard, appended);
  leave();
  await log.append(event('after'), NOW_MS);
  await new Promise(setImmediate);
  assert.equal(heard.length, 299);
});

test('an event too large is refused alone', async () => {
  const log = await openEventLog(openMemoryStore());
  const large = log.append(event('x'.repeat(EVENT_LIMITS.eventBytes)), NOW_MS);
  const small = log.append(event('small'), NOW_MS);
  await assert.rejects(large, valkeeperError('store_limit', /event: step_done has \d+ bytes/));
  assert.equal((await small).seq, 1);
});

test('a failing store fails the append, wastes no number, and does not stop the next', async (t) => {
  const store = openSqliteStore(join(tempDir(t), 'store.db'), { maxSizeBytes: 128 * 1024 });
  t.after(() => store.close());
  const log = await openEventLog(store);
  const bulky = { details: { text: 'x'.repeat(10_000) } };
  let appended = 0;
  await assert.rejects(async () => {
    for (; appended < 100; appended++) await log.append(event('bulky', bulky), NOW_MS);
  }, valkeeperError('store_full'));
  assert.equal((await log.append(event('small'), NOW_MS)).seq, appended + 1);

  await store.commit([{ put: `events/${String(appended + 2).padStart(15, '0')}`, value: 'an intruder' }]);
  await assert.rejects(log.append(event('clash'), NOW_MS), valkeeperError('internal', /written by another/));
});

test('after an outcome that nobody can tell the numbers go on behind what was written', async () => {
  const store = openMemoryStore();
  const unknown = () => new ValkeeperError('store_outcome_unknown', { problem: 'lost' });
  let lost: 'request' | 'answer' | null = null;
  const log = await openEventLog(
    new Proxy(store, {
      get: (target, name: keyof Store) => {
        const method = (target[name] as (...args: unknown[]) => unknown).bind(target);
        if (name !== 'commit' || lost === null) return method;
        return async (...args: unknown[]) => {
          if (lost === 'answer') await method(...args);
          lost = null;
          throw unknown();
        };
      },
    }),
  );
  await log.append(event('one'), NOW_MS);
  for (const way of ['request', 'answer'] as const) {
    lost = way;
    await assert.rejects(log.append(event(`lost ${way}`), NOW_MS), valkeeperError('store_outcome_unknown'));
    await log.append(event(`after a lost ${way}`), NOW_MS);
  }
  const messages = (await log.list()).map(({ seq, message }) => `${seq} ${message}`);
  assert.deepEqual(messages, ['1 one', '2 after a lost request', '3 lost answer', '4 after a lost answer']);
});
