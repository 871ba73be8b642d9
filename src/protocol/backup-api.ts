/** What the API takes and tells about backups. */
import { z } from 'zod';
import type { BackupSchedule, BackupStatus } from '../domain/backup.ts';
import { specInputSchema } from './api.ts';

const LEAST_RATE = 64 * 1024;

/** Where a backup goes, and how fast. */
export const backupWishSchema = z.strictObject({
  to: z
    .string()
    .optional()
    .describe('A folder of the server, or s3://bucket/prefix; else where its schedule says, or the default.'),
  bytesPerSecond: z
    .int()
    .min(LEAST_RATE)
    .optional()
    .describe(
      "How fast data is read from all shards together, before it is compressed; else 4 MB a second for each of the server's processors.",
    ),
});

export const backupsQuerySchema = z.strictObject({
  database: z.string().optional(),
  /** Those that lie there, also when this fleet has not made them. */
  place: z.string().optional(),
});

/** Where a backup lies that is not known here. */
export const backupPlaceSchema = z.strictObject({ place: z.string().optional() });

export interface BackupList {
  /** The newest last. */
  backups: BackupStatus[];
}

const LONGEST_CRON = 100;
const MOST_KEPT = 100_000;

/** When a database is backed up by itself. */
export const backupScheduleSchema = z.strictObject({
  cron: z
    .string()
    .max(LONGEST_CRON)
    .describe('Five fields of cron: minute, hour, day of the month, month, day of the week.'),
  timeZone: z.string().default('UTC').describe('Such as Europe/Berlin.'),
  place: z.string().optional().describe('A folder of the server, or s3://bucket/prefix; else the default.'),
  keep: z.int().min(1).max(MOST_KEPT).optional().describe('Of its backups the newest so many are kept.'),
  keepDays: z
    .int()
    .min(1)
    .max(MOST_KEPT)
    .optional()
    .describe('None of its backups that is older is kept, but the newest.'),
});
export type BackupScheduleWish = z.infer<typeof backupScheduleSchema>;

export interface BackupScheduleDocument {
  database: string;
  /** Null: it is backed up only when somebody asks. */
  schedule: BackupSchedule | null;
  /** ISO time of the next. */
  next: string | null;
}

/** A database that is to have the data of a backup. */
export const restoreSchema = z.strictObject({
  name: z.string(),
  from: z
    .string()
    .describe(
      "A backup's id, or the absolute path of an RDB file at the server; with `at` the name or uid of a database that is archived.",
    ),
  at: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('The moment, out of an archive: what was done up to the end of this second is in it.'),
  place: z.string().optional().describe('Where the backup lies; it need not be said of one that is known here.'),
  spec: specInputSchema.default({}).describe('What is to be otherwise than it was.'),
});
export type RestoreWish = z.infer<typeof restoreSchema>;
