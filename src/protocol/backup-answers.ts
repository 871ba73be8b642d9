/** What the API answers about backups, as schemas; part of `ANSWERS`. The types say the same, and the compiler compares. */
import { z } from 'zod';
import type { ArchiveStatus } from '../domain/archive.ts';
import { BACKUP_STATES, type BackupStatus } from '../domain/backup.ts';
import type { ArchiveList } from './archive-api.ts';
import type { BackupList, BackupScheduleDocument } from './backup-api.ts';

const count = z.int().min(0);
const time = z.iso.datetime();

/** How a database gets the data of a backup. */
const restoreStatus = z.strictObject({
  ...{ id: z.string(), place: z.string(), stage: z.enum(['load', 'spread']), shards: count, bytes: count },
  since: time,
});

/** What a database's status says about these. */
export const OF_A_DATABASE = {
  restore: restoreStatus.nullable(),
  archive: z.strictObject({ place: z.string(), from: time.nullable(), until: time.nullable() }).nullable(),
};

const archive = z.strictObject({
  ...{ database: z.string(), databaseUid: z.string(), place: z.string(), state: z.enum(['on', 'off']) },
  ...{ everySeconds: count, keepDays: count.nullable(), encrypted: z.boolean() },
  window: z.array(z.strictObject({ from: time, to: time })).readonly(),
  problem: z.string().nullable(),
});

const backup = z.strictObject({
  ...{ id: z.string(), database: z.string(), databaseUid: z.string(), place: z.string() },
  state: z.enum(BACKUP_STATES),
  trigger: z.enum(['asked', 'schedule']),
  startedAt: time,
  endedAt: time.nullable(),
  shards: count,
  parts: z
    .array(
      z.strictObject({
        shard: z.string(),
        slots: z.array(z.tuple([count, count]).readonly()).readonly(),
        ...{ node: z.string(), machine: z.string(), role: z.enum(['primary', 'replica']) },
        ...{ keys: count, dataBytes: count, rawBytes: count, storedBytes: count },
        forkedAt: time,
        seconds: z.number(),
      }),
    )
    .readonly(),
  skewMs: count.nullable(),
  encrypted: z.boolean(),
  engineVersion: z.string(),
  problem: z.string().nullable(),
});

const schedule = z.strictObject({
  ...{ cron: z.string(), timeZone: z.string(), place: z.string() },
  ...{ keep: count.nullable(), keepDays: count.nullable() },
});

export const BACKUP_ANSWERS = {
  /** Raw bytes: no JSON. */
  Rdb: z.string().meta({ format: 'binary' }),
  Backup: backup,
  BackupList: z.strictObject({ backups: z.array(backup) }),
  Archive: archive,
  ArchiveList: z.strictObject({ archives: z.array(archive) }),
  BackupSchedule: z.strictObject({ database: z.string(), schedule: schedule.nullable(), next: time.nullable() }),
};

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Answer<K extends keyof typeof BACKUP_ANSWERS> = z.infer<(typeof BACKUP_ANSWERS)[K]>;
type _SchemasSayWhatTypesSay = AllTrue<
  [
    Same<Answer<'Backup'>, BackupStatus>,
    Same<Answer<'BackupList'>, BackupList>,
    Same<Answer<'BackupSchedule'>, BackupScheduleDocument>,
    Same<Answer<'Archive'>, ArchiveStatus>,
    Same<Answer<'ArchiveList'>, ArchiveList>,
  ]
>;
type AllTrue<T extends true[]> = T;
