/** Databases that are backed up by themselves: when, and what is kept. What was due while no control plane was there is made up for once. */
import { Cron } from 'croner';
import type { BackupSchedule } from '../../domain/backup.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { NewEvent } from '../../domain/event.ts';
import { beyondRetention } from '../../plan/retention.ts';
import type { Clock, EndTimer } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { BackupScheduleDocument, BackupScheduleWish } from '../../protocol/backup-api.ts';
import type { Store } from '../../store/store.ts';
import type { Databases } from '../databases.ts';
import { Records } from '../records.ts';
import type { Backups } from './backups.ts';
import { Library } from './library.ts';

/** Schedules count in minutes. */
const LOOK_MS = 5_000;

/** Of one database, by its name. */
interface ScheduleRecord extends BackupSchedule {
  name: string;
  /** Of the database: one that is made later under the same name has none. */
  uid: string;
  /** When the next backup is due, in milliseconds since the epoch; null when never. */
  dueAt: number | null;
}

export class ScheduleRecords extends Records<ScheduleRecord> {
  static open(store: Store): Promise<ScheduleRecords> {
    const missing = (name: string): Error => new Error(`${name} has no schedule`);
    const kind = {
      prefix: 'backup-schedules/',
      upToDate: (stored: ScheduleRecord) => stored,
      notFound: missing,
      exists: missing,
    };
    return new ScheduleRecords(store, kind).read();
  }
}

export interface ScheduleSurroundings {
  records: ScheduleRecords;
  databases: Pick<Databases, 'find' | 'get'>;
  backups: Pick<Backups, 'create' | 'list' | 'remove'>;
  clock: Clock;
  log: Logger;
  record: (event: NewEvent) => void;
  defaultPlace: string | null;
  requireRunning: () => void;
}

export class BackupSchedules {
  readonly #around: ScheduleSurroundings;
  #endTimer: EndTimer = () => {};
  #closed = false;

  constructor(around: ScheduleSurroundings) {
    this.#around = around;
  }

  begin(): void {
    this.#endTimer = this.#around.clock.timer(LOOK_MS, () => {
      void this.look().finally(() => this.#closed || this.begin());
    });
  }

  close(): void {
    this.#closed = true;
    this.#endTimer();
  }

  /** @throws database_not_found */
  show(name: string): BackupScheduleDocument {
    const { uid } = this.#around.databases.get(name);
    const record = this.#around.records.find(name);
    if (record?.uid !== uid) return { database: name, schedule: null, next: null };
    const { name: _, uid: _uid, dueAt, ...schedule } = record;
    return { database: name, schedule, next: dueAt === null ? null : new Date(dueAt).toISOString() };
  }

  /** @throws database_not_found, being_deleted, invalid_value, backup_place_missing, backup_place_invalid, stopping */
  async set(name: string, wish: BackupScheduleWish): Promise<BackupScheduleDocument> {
    const { clock, databases, defaultPlace, records, requireRunning } = this.#around;
    requireRunning();
    const { uid, deleting } = databases.get(name);
    if (deleting) throw new ValkeeperError('being_deleted', { name });
    const { cron, timeZone, keep = null, keepDays = null } = wish;
    const place = wish.place ?? defaultPlace;
    if (place === null) throw new ValkeeperError('backup_place_missing', { name });
    await Library.open(place, []); // that it can be one
    const dueAt = nextOf(cron, timeZone, clock.now());
    const record: ScheduleRecord = { name, uid, cron, timeZone, place, keep, keepDays, dueAt };
    if (records.find(name)) await records.change(name, () => record);
    else await records.add(record);
    return this.show(name);
  }

  /** @throws database_not_found, stopping */
  async remove(name: string): Promise<BackupScheduleDocument> {
    this.#around.requireRunning();
    if (this.#around.records.find(name)) await this.#around.records.remove(name);
    return this.show(name);
  }

  /** Makes what is due, and removes what is kept no longer. */
  async look(): Promise<void> {
    const { clock, databases, log, records } = this.#around;
    for (const { name, uid, dueAt } of records.all()) {
      try {
        if (databases.find(name)?.uid !== uid) await records.remove(name);
        else if (dueAt !== null && dueAt <= clock.now()) await this.#due(name);
      } catch (error) {
        log.error({ err: error, database: name }, 'A backup that was due was not begun.');
      }
    }
  }

  async #due(name: string): Promise<void> {
    const { backups, clock, records, record } = this.#around;
    const { place } = await records.change(name, (one) => ({
      ...one,
      dueAt: nextOf(one.cron, one.timeZone, clock.now()),
    }));
    try {
      await backups.create(name, { to: place, trigger: 'schedule' });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `${name} was not backed up to ${place} as it was to be: ${reason}`;
      record({ kind: 'backup_failed', severity: 'warning', database: name, message });
    }
    await this.#forgetOld(name);
  }

  /** The one that was begun just now counts from the next time on. */
  async #forgetOld(name: string): Promise<void> {
    const { backups, clock, records } = this.#around;
    const schedule = records.find(name);
    if (!schedule) return;
    // Those of a database that had the name before are not its own.
    const own = (await backups.list({ database: name })).filter(({ databaseUid }) => databaseUid === schedule.uid);
    for (const { id } of beyondRetention(own, schedule, clock.now())) {
      await backups.remove(id);
    }
  }
}

/** @throws invalid_value when it is no schedule */
function nextOf(cron: string, timeZone: string, now: number): number | null {
  try {
    return (
      new Cron(cron, { timezone: timeZone, mode: '5-part', paused: true }).nextRun(new Date(now))?.getTime() ?? null
    );
  } catch (error) {
    const problem = `${JSON.stringify(cron)} in ${timeZone} is no schedule: ${error instanceof Error ? error.message : String(error)}`;
    const remedy =
      'Five fields as of cron, such as `0 3 * * *` for three in the morning, and a time zone such as Europe/Berlin.';
    throw new ValkeeperError('invalid_value', { field: 'schedule', problem, remedy });
  }
}
