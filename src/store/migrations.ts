/** The formats of the SQLite store, oldest first. A published one is never edited: what changes is a new one. */
import type { DatabaseSync } from 'node:sqlite';
import { ValkeeperError } from '../domain/errors.ts';

export interface Migration {
  /** What `PRAGMA user_version` says afterwards: 1, 2, 3 and so on. */
  version: number;
  sql: string;
}

/** Marks a file as ours: "VKpr", in SQLite's header. */
export const APPLICATION_ID = 0x56_4b_70_72;

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: `
      CREATE TABLE entries (
        key TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL,
        revision INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL) STRICT;
      INSERT INTO head (only, revision) VALUES (1, 0);
      PRAGMA application_id = ${APPLICATION_ID};
    `,
  },
  {
    version: 2,
    sql: `
      ALTER TABLE entries ADD COLUMN lease TEXT;
      CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
    `,
  },
];

/** The version a database has. */
export const versionOf = (db: DatabaseSync): number =>
  Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);

/**
 * Brings a database to the latest format; each step happens as a whole or not at all.
 * @throws store_too_new
 */
export function migrate(db: DatabaseSync, path: string, migrations: readonly Migration[] = MIGRATIONS): void {
  const known = migrations.at(-1)?.version ?? 0;
  const found = versionOf(db);
  if (found > known) throw new ValkeeperError('store_too_new', { path, found, known });
  for (const { version, sql } of migrations) {
    if (version <= found) continue;
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(sql);
      db.exec(`PRAGMA user_version = ${version}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}
