/** A backup of a database: what is known of it, whether it is being made, there, or came to nothing. */
import type { NodeId } from './ids.ts';
import type { SlotRange } from './slots.ts';

export const BACKUP_STATES = ['running', 'done', 'failed'] as const;
export type BackupState = (typeof BACKUP_STATES)[number];

/** Who asked for it: a person, or the database's schedule. */
export type BackupTrigger = 'asked' | 'schedule';

/** One shard of a backup. */
export interface BackupPart {
  shard: string;
  slots: readonly SlotRange[];
  /** Who gave it. */
  node: NodeId;
  machine: string;
  role: 'primary' | 'replica';
  keys: number;
  /** Bytes of memory that its data took there. */
  dataBytes: number;
  /** Bytes of the RDB, and of what is stored of it. */
  rawBytes: number;
  storedBytes: number;
  /** ISO time of the moment whose data it has. */
  forkedAt: string;
  /** How long it took to send. */
  seconds: number;
}

export interface BackupStatus {
  id: string;
  database: string;
  databaseUid: string;
  /** Where it lies, without secrets. */
  place: string;
  state: BackupState;
  trigger: BackupTrigger;
  /** ISO times. */
  startedAt: string;
  endedAt: string | null;
  /** Shards of the database. */
  shards: number;
  /** Those that are done. */
  parts: readonly BackupPart[];
  /** Milliseconds between the moments of the first and the last part; null before it is done. */
  skewMs: number | null;
  encrypted: boolean;
  engineVersion: string;
  /** Why it came to nothing. */
  problem: string | null;
}

/** When a database is backed up by itself, where to, and how much is kept. */
export interface BackupSchedule {
  /** Five fields of cron: minute, hour, day of the month, month, day of the week. */
  cron: string;
  /** Of the IANA database, such as `Europe/Berlin`. */
  timeZone: string;
  place: string;
  /** Of the schedule's backups the newest so many are kept; null: however many there are. */
  keep: number | null;
  /** None older is kept; null: however old. */
  keepDays: number | null;
}

const RATE_OF_PROCESSOR = 4 * 1024 ** 2;

/**
 * Bytes a second that a backup reads where nothing is said, of all shards together: what that costs, some 15 ms of a
 * processor for each MB (the node's child, compression, disk), is a sixteenth of so many processors.
 */
export const backupRate = (processors: number): number => Math.max(2, processors) * RATE_OF_PROCESSOR;

const SUFFIX_LETTERS = 6;

/** Such as `main-20261127T141500Z-3f9a1c`: names of a database sort by time. @param chance hexadecimal, at random */
export function backupId(database: string, at: number, chance: string): string {
  const time = new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${database}-${time}-${chance.slice(0, SUFFIX_LETTERS)}`;
}

/** When it was begun, to the second, by its id; null where the id tells no time. In milliseconds since the epoch. */
export function timeInBackupId(id: string): number | null {
  const [, date, time] = /-(\d{8})T(\d{6})Z-[^-]+$/.exec(id) ?? [];
  if (!date || !time) return null;
  const [, year, month, day] = /(\d{4})(\d\d)(\d\d)/.exec(date)!;
  const at = Date.parse(`${year}-${month}-${day}T${time.replace(/(\d\d)(\d\d)(\d\d)/, '$1:$2:$3')}Z`);
  return Number.isNaN(at) ? null : at;
}
