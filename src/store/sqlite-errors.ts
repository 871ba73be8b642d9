/** What can be wrong with a SQLite file, said to people. */
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { ValkeeperError } from '../domain/errors.ts';
import { fileError } from '../platform/files.ts';
import { APPLICATION_ID } from './migrations.ts';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const SQLITE = { BUSY: 5, READONLY: 8, IOERR: 10, CORRUPT: 11, FULL: 13, CANTOPEN: 14, NOTADB: 26 } as const;

/** The error for people behind what SQLite, or the making of its file, threw; anything else stays what it is. */
export function sqliteError(path: string, maxSizeBytes: number, error: unknown): unknown {
  if (error instanceof ValkeeperError || !(error instanceof Error)) return error;
  if ('syscall' in error) return fileError('open', path, error);
  if (!('errcode' in error)) return error;
  const problem = error.message;
  const cause = { cause: error };
  const unusable = (remedy: string) => new ValkeeperError('store_unusable', { path, problem, remedy }, cause);
  switch ((error.errcode as number) & 0xff) {
    case SQLITE.BUSY:
      return new ValkeeperError('store_in_use', { path }, cause);
    case SQLITE.FULL:
      return new ValkeeperError('store_full', { path, limitMib: Math.round(maxSizeBytes / 1024 ** 2) }, cause);
    case SQLITE.CORRUPT:
    case SQLITE.NOTADB:
      return new ValkeeperError('store_damaged', { path, problem }, cause);
    case SQLITE.READONLY:
    case SQLITE.CANTOPEN:
      return unusable(`Make the file and its folder ${dirname(path)} writable for the user that runs Valkeeper.`);
    case SQLITE.IOERR:
      return unusable('Look at the disk: `dmesg` and `df -h` tell more.');
    default:
      return unusable('Look at the log (`valkeeper logs server`).');
  }
}

/**
 * Passes for an empty file and for a sound one of ours.
 * @throws store_damaged
 */
export function checkOwnership(db: DatabaseSync, path: string): void {
  const id = db.prepare('PRAGMA application_id').get()?.['application_id'];
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'];
  if (id === 0 && tables === 0) return;
  if (id !== APPLICATION_ID) {
    throw new ValkeeperError('store_damaged', { path, problem: 'it is the SQLite file of another program' });
  }
  const verdict = String(db.prepare('PRAGMA quick_check(1)').get()?.['quick_check']);
  if (verdict !== 'ok') throw new ValkeeperError('store_damaged', { path, problem: verdict.replaceAll('\n', ' ') });
}
