/**
 * The store of one control plane, embedded: one SQLite file beside its write-ahead log. An acknowledged commit has
 * been synced to disk. The file belongs to one process at a time: SQLite's exclusive lock dies with its holder.
 *
 * POSIX drops such a lock as soon as its process closes *any* descriptor of the file, so nothing here, and nobody else
 * in the process, may open a store's file by other means while it is in use.
 */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { monotonicClock } from '../platform/clock.ts';
import { ChangeFeed } from './change-feed.ts';
import {
  checkKey,
  checkList,
  checkTtl,
  compareKeys,
  findConflict,
  findLeaseGone,
  LAST_CHARACTER,
  leaseGone,
  type StoredChange,
  type StoredEntry,
  storeClosed,
  toEntry,
  toList,
  toWrites,
  type Write,
} from './encode.ts';
import { LeaseTable } from './lease-table.ts';
import { migrate } from './migrations.ts';
import { checkOwnership, sqliteError } from './sqlite-errors.ts';
import type { Change, CommitResult, Entry, Lease, ListOptions, Op, Store, Unwatch, WatchOptions } from './store.ts';

export interface SqliteOptions {
  /** The file grows no larger. */
  maxSizeBytes?: number;
}

/** Far beyond what intent and events need: a fleet of a hundred databases takes a few MiB. */
const DEFAULT_MAX_SIZE_BYTES = 1024 ** 3;
const PAGE_BYTES = 4096;
/** How long to wait for a predecessor that is just ending. The event loop waits too. */
const BUSY_TIMEOUT_MS = 500;

/**
 * Opens the store in the file `path`, making it if there is none; its folder must exist.
 * @throws store_in_use, store_too_new, store_damaged, store_unusable, store_full
 */
export function openSqliteStore(path: string, { maxSizeBytes = DEFAULT_MAX_SIZE_BYTES }: SqliteOptions = {}): Store {
  let db: DatabaseSync | undefined;
  try {
    makePrivateFile(path);
    const { DatabaseSync } = loadSqlite();
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    // Taken at once and kept: the lock comes before the first look at the content.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
    checkOwnership(db, path);
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${4 * 1024 ** 2};
      PRAGMA max_page_count = ${Math.ceil(maxSizeBytes / PAGE_BYTES)};
    `);
    migrate(db, path);
    return new SqliteStore(db, (error) => sqliteError(path, maxSizeBytes, error));
  } catch (error) {
    db?.close();
    throw sqliteError(path, maxSizeBytes, error);
  }
}

/** SQLite gives its log the mode of the file, which is therefore made here, and never opened if it exists. */
function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) chmodSync(path, 0o600);
  }
}

/** Node 24 calls its SQLite experimental, in a warning at the first use that is not for our users. */
function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}

class SqliteStore implements Store {
  readonly #db: DatabaseSync;
  readonly #explain: (error: unknown) => unknown;
  readonly #feed: ChangeFeed;
  readonly #leases = new LeaseTable(monotonicClock, (id) => this.#deleteKeys(this.#leased.all(id)));
  readonly #get: StatementSync;
  readonly #list: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #leased: StatementSync;
  readonly #head: StatementSync;
  readonly #setHead: StatementSync;

  /** @param explain turns what SQLite throws into an error for people */
  constructor(db: DatabaseSync, explain: (error: unknown) => unknown) {
    this.#db = db;
    this.#explain = explain;
    this.#get = db.prepare('SELECT key, value AS text, revision FROM entries WHERE key = ?');
    this.#list = db.prepare(
      `SELECT key, value AS text, revision FROM entries
       WHERE key >= :from AND key < :to AND key <> :after ORDER BY key LIMIT :limit`,
    );
    this.#put = db.prepare('REPLACE INTO entries (key, value, revision, lease) VALUES (?, ?, ?, ?)');
    this.#delete = db.prepare('DELETE FROM entries WHERE key = ?');
    this.#leased = db.prepare('SELECT key FROM entries WHERE lease = ? ORDER BY key');
    this.#head = db.prepare('SELECT revision FROM head');
    this.#setHead = db.prepare('UPDATE head SET revision = ?');
    // The leases of the process that had the file before ended with it.
    const left = db.prepare('SELECT key FROM entries WHERE lease IS NOT NULL ORDER BY key').all();
    const last = left.length > 0 ? this.#write(left.map(toDeletion), this.#readHead() + 1) : [];
    this.#feed = new ChangeFeed(last[0]?.revision ?? this.#readHead());
  }

  async get<T>(key: string): Promise<Entry<T> | null> {
    checkKey(key);
    const entry = this.#run(() => this.#find(key));
    return entry === undefined ? null : toEntry<T>(entry);
  }

  async list<T>(prefix: string, options: ListOptions = {}): Promise<Entry<T>[]> {
    const limit = checkList(prefix, options);
    const { after = '' } = options;
    const from = compareKeys(after, prefix) > 0 ? after : prefix;
    const range = { from, to: prefix + LAST_CHARACTER, after, limit };
    return toList<T>(
      prefix,
      this.#run(() => this.#list.all(range) as unknown as StoredEntry[]),
    );
  }

  async commit(ops: readonly Op[]): Promise<CommitResult> {
    const writes = toWrites(ops);
    return this.#run(() => {
      // Nobody else writes and nothing here waits: what is read now still holds when it is written below.
      const conflict = findConflict(writes, (key) => this.#find(key)?.revision ?? 'absent');
      if (conflict !== undefined) return conflict;
      const gone = findLeaseGone(writes, (lease) => this.#leases.has(lease));
      if (gone !== undefined) throw leaseGone(gone);
      const before = this.#readHead();
      const changes = this.#write(writes, before + 1);
      this.#feed.publish(changes);
      return { ok: true, revision: changes.length > 0 ? before + 1 : before };
    });
  }

  watch<T>(prefix: string, listener: (change: Change<T>) => void, options?: WatchOptions): Unwatch {
    return this.#run(() => this.#feed.watch(prefix, listener, options));
  }

  async revision(): Promise<number> {
    return this.#run(() => this.#readHead());
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    return this.#run(() => {
      checkTtl(ttlMs);
      return this.#leases.grant(ttlMs);
    });
  }

  async keepLease(id: string): Promise<boolean> {
    return this.#run(() => this.#leases.keep(id));
  }

  async revokeLease(id: string): Promise<void> {
    this.#run(() => this.#leases.revoke(id));
  }

  async close(): Promise<void> {
    if (!this.#db.isOpen) return;
    this.#leases.close();
    this.#feed.close();
    this.#db.close();
  }

  #run<R>(action: () => R): R {
    if (!this.#db.isOpen) throw storeClosed();
    try {
      return action();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #find(key: string): StoredEntry | undefined {
    return this.#get.get(key) as StoredEntry | undefined;
  }

  #readHead(): number {
    return this.#head.get()!['revision'] as number;
  }

  #deleteKeys(found: readonly Row[]): void {
    if (found.length > 0) this.#feed.publish(this.#write(found.map(toDeletion), this.#readHead() + 1));
  }

  #write(writes: readonly Write[], revision: number): StoredChange[] {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const changes: StoredChange[] = [];
      for (const { kind, key, text, lease } of writes) {
        if (text !== null) this.#put.run(key, text, revision, lease);
        else if (kind === 'check' || this.#delete.run(key).changes === 0) continue;
        changes.push({ key, text, revision });
      }
      if (changes.length > 0) this.#setHead.run(revision);
      this.#db.exec('COMMIT');
      return changes;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

type Row = ReturnType<StatementSync['all']>[number];

const toDeletion = ({ key }: Row): Write => ({
  kind: 'delete',
  key: key as string,
  text: null,
  lease: null,
  expect: undefined,
});
