/** When backups are due, on a clock moved by hand. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { fleet, readyWorld } from '../../../test/support/worlds.ts';
import type { BackupStatus } from '../../domain/backup.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { NewEvent } from '../../domain/event.ts';
import { createLogger } from '../../platform/log.ts';
import { openMemoryStore } from '../../store/memory.ts';
import { BackupSchedules, ScheduleRecords } from './schedules.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const { database } = readyWorld(fleet(3));
const { log } = createLogger({ name: 'test', level: 'error' });

/** The port to what makes backups: what was asked of it, all of it done at once. */
class Asked {
  readonly made: BackupStatus[] = [];
  readonly removed: string[] = [];
  readonly #clock: ManualClock;
  failure: ValkeeperError | null = null;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  create = async (name: string, { to = '' }: { to?: string | undefined }): Promise<BackupStatus> => {
    if (this.failure) throw this.failure;
    const startedAt = new Date(this.#clock.now()).toISOString();
    const backup: BackupStatus = {
      ...{ id: startedAt, database: name, databaseUid: 'uid', place: to, state: 'done', trigger: 'schedule' },
      ...{ startedAt, endedAt: startedAt, shards: 1, parts: [], skewMs: 0, encrypted: false },
      ...{ engineVersion: '9.1.2', problem: null },
    };
    this.made.push(backup);
    return backup;
  };
  list = async (): Promise<BackupStatus[]> => this.made.filter(({ id }) => !this.removed.includes(id));
  remove = async (id: string): Promise<BackupStatus> => {
    this.removed.push(id);
    return this.made.find((one) => one.id === id)!;
  };
}

async function scene() {
  const clock = new ManualClock();
  clock.stall(Date.parse('2026-03-28T00:00:00Z'));
  const store = openMemoryStore();
  const events: NewEvent[] = [];
  const backups = new Asked(clock);
  let present: typeof database | undefined = database;
  const get = (): typeof database => {
    if (!present) throw new ValkeeperError('database_not_found', { name: 'test' });
    return present;
  };
  const open = async (): Promise<BackupSchedules> =>
    new BackupSchedules({
      ...{ records: await ScheduleRecords.open(store), clock, backups, log },
      ...{ databases: { find: () => present, get }, record: (event: NewEvent) => void events.push(event) },
      ...{ defaultPlace: '/srv/backups', requireRunning: () => {} },
    });
  return { clock, backups, events, open, replace: (other: typeof database | undefined) => (present = other) };
}

it('makes one whenever it is due, in its time zone, and keeps the newest', async () => {
  const { clock, backups, open } = await scene();
  const schedules = await open();
  const wish = { cron: '0 3 * * *', timeZone: 'Europe/Berlin', keep: 2 };
  const { next } = await schedules.set('test', wish);
  assert.equal(next, '2026-03-28T02:00:00.000Z', 'three in the morning there');
  for (let hour = 0; hour < 4 * 24; hour += 1) {
    clock.advance(HOUR_MS);
    await schedules.look();
  }
  assert.deepEqual(
    backups.made.map(({ startedAt }) => startedAt.slice(0, 16)),
    // On the 29th clocks there go from two to three.
    ['2026-03-28T02:00', '2026-03-29T01:00', '2026-03-30T01:00', '2026-03-31T01:00'],
  );
  assert.deepEqual(
    backups.removed.map((id) => id.slice(0, 10)),
    ['2026-03-28', '2026-03-29'],
  );
  assert.ok(backups.made.every(({ place }) => place === '/srv/backups'));
});

it('keeps what was made of a database that had the name before', async () => {
  const { clock, backups, open } = await scene();
  const former = await backups.create('test', { to: '/srv/backups' });
  backups.made[0] = { ...former, databaseUid: 'former' };
  const schedules = await open();
  await schedules.set('test', { cron: '0 * * * *', timeZone: 'UTC', keep: 1 });
  for (let hour = 0; hour < 3; hour += 1) {
    clock.advance(HOUR_MS);
    await schedules.look();
  }
  assert.equal(backups.removed.length, 2);
  assert.ok(!backups.removed.includes(former.id));
});

it('makes up once for what was due while nobody looked', async () => {
  const { clock, backups, open } = await scene();
  await (await open()).set('test', { cron: '*/10 * * * *', timeZone: 'UTC' });
  clock.advance(5 * HOUR_MS);
  const later = await open(); // another control plane
  await later.look();
  await later.look();
  assert.equal(backups.made.length, 1);
  assert.equal(later.show('test').next, '2026-03-28T05:10:00.000Z');
});

it('tells of one that could not be begun, and goes on', async () => {
  const { clock, backups, events, open } = await scene();
  const schedules = await open();
  await schedules.set('test', { cron: '0 * * * *', timeZone: 'UTC' });
  backups.failure = new ValkeeperError('backup_running', { name: 'test', id: 'x' });
  clock.advance(HOUR_MS);
  await schedules.look();
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['backup_failed'],
  );
  backups.failure = null;
  clock.advance(HOUR_MS);
  await schedules.look();
  assert.equal(backups.made.length, 1);
});

it('is no schedule of a database that is made later under the same name, and can be ended', async () => {
  const { clock, backups, open, replace } = await scene();
  const schedules = await open();
  await schedules.set('test', { cron: '* * * * *', timeZone: 'UTC' });
  replace({ ...database, uid: 'another' });
  assert.equal(schedules.show('test').schedule, null);
  clock.advance(MINUTE_MS);
  await schedules.look();
  assert.equal(backups.made.length, 0);
  await schedules.set('test', { cron: '* * * * *', timeZone: 'UTC' });
  assert.equal((await schedules.remove('test')).next, null);
  clock.advance(MINUTE_MS);
  await schedules.look();
  assert.equal(backups.made.length, 0);
});

it('refuses what is no schedule, and changes nothing', async () => {
  const schedules = await (await scene()).open();
  for (const [cron, timeZone] of [
    ['nonsense', 'UTC'],
    ['0 3 * * * *', 'UTC'],
    ['0 25 * * *', 'UTC'],
    ['0 3 * * *', 'Nowhere/Land'],
  ] as const) {
    await assert.rejects(schedules.set('test', { cron, timeZone }), (error) => {
      assert.ok(error instanceof ValkeeperError && error.code === 'invalid_value', String(error));
      return true;
    });
  }
  assert.equal(schedules.show('test').schedule, null);
});
