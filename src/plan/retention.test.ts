/** What a schedule keeps of its backups. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { BackupStatus } from '../domain/backup.ts';
import { beyondRetention } from './retention.ts';

const NOW = Date.parse('2026-03-31T12:00:00Z');

/** One that was begun so many days ago. */
const backup = (daysAgo: number, more: Partial<BackupStatus> = {}): BackupStatus => ({
  ...{ id: `day-${daysAgo}`, database: 'main', databaseUid: 'uid', place: '/srv', state: 'done', trigger: 'schedule' },
  startedAt: new Date(NOW - daysAgo * 24 * 3_600_000).toISOString(),
  ...{ endedAt: null, shards: 1, parts: [], skewMs: 0, encrypted: false, engineVersion: '9.1.2', problem: null },
  ...more,
});

const gone = (backups: BackupStatus[], keep: number | null, keepDays: number | null): string[] =>
  beyondRetention(backups, { keep, keepDays }, NOW).map(({ id }) => id);

const DAYS = [3, 0, 1, 2, 9].map((daysAgo) => backup(daysAgo));

it('keeps the newest so many', () => {
  assert.deepEqual(gone(DAYS, 3, null), ['day-3', 'day-9']);
  assert.deepEqual(gone(DAYS, 1, null), ['day-1', 'day-2', 'day-3', 'day-9']);
  assert.deepEqual(gone(DAYS, 5, null), []);
});

it('keeps none that is older, but the newest', () => {
  assert.deepEqual(gone(DAYS, null, 2), ['day-3', 'day-9']);
  assert.deepEqual(gone([backup(8), backup(9)], null, 2), ['day-9']);
});

it('keeps all where nothing is said, and those that it did not make', () => {
  assert.deepEqual(gone(DAYS, null, null), []);
  assert.deepEqual(gone([backup(0), backup(5, { trigger: 'asked' }), backup(6, { state: 'failed' })], 1, 1), []);
});
