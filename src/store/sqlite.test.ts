import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { storeContract } from '../../test/support/store-contract.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { MIGRATIONS, migrate, versionOf } from './migrations.ts';
import { openSqliteStore } from './sqlite.ts';

let opened = 0;
storeContract('SQLite store', (t) => {
  opened += 1;
  return openSqliteStore(join(sharedDir(t), `${opened}.db`));
});

const dirs = new WeakMap<TestContext, string>();
/** One folder per test, however many stores it opens. */
function sharedDir(t: TestContext): string {
  const dir = dirs.get(t) ?? tempDir(t);
  dirs.set(t, dir);
  return dir;
}

/** Runs `action` as a user whom file permissions bind: root is not. */
function unprivileged(action: () => void): void {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    action();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

/** A sound store with enough in it to damage. */
async function filledStore(path: string): Promise<void> {
  const store = openSqliteStore(path);
  for (let n = 0; n < 20; n++) await store.commit([{ put: `key/${n}`, value: 'x'.repeat(4000) }]);
  await store.close();
}

test('what was stored is there after opening again, with its revisions, private to its owner', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'store.db');
  const store = openSqliteStore(path);
  await store.commit([{ put: 'a', value: { n: 1 } }]);
  await store.commit([{ put: 'b', value: 2 }]);
  await store.commit([{ delete: 'b' }]);
  for (const file of readdirSync(dir)) assert.equal(statSync(join(dir, file)).mode & 0o777, 0o600, file);
  await store.close();
  assert.deepEqual(readdirSync(dir), ['store.db'], 'no log is left behind');

  chmodSync(path, 0o644);
  const again = openSqliteStore(path);
  t.after(() => again.close());
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(await again.list(''), [{ key: 'a', value: { n: 1 }, revision: 1 }]);
  assert.equal(await again.revision(), 3, 'revisions of deleted keys are not used again');
  assert.throws(() => again.watch('', () => {}, { fromRevision: 3 }), valkeeperError('store_history_gone'));
});

test('a process that opens a store ends the leases of the one that had it before', async (t) => {
  const path = join(tempDir(t), 'store.db');
  const store = openSqliteStore(path);
  const lease = await store.grantLease(60_000);
  await store.commit([
    { put: 'leader', value: 1, lease: lease.id },
    { put: 'lasting', value: 1 },
  ]);
  await store.close();

  const again = openSqliteStore(path);
  t.after(() => again.close());
  assert.deepEqual(await again.list(''), [{ key: 'lasting', value: 1, revision: 1 }]);
  assert.equal(await again.revision(), 2);
  assert.equal(await again.keepLease(lease.id), false);
  assert.throws(() => again.watch('', () => {}, { fromRevision: 2 }), valkeeperError('store_history_gone'));
  again.watch('', () => {}, { fromRevision: 3 })();
});

test('SQLite is set to sync every commit and to keep the file to itself', (t) => {
  const connections = new Set<DatabaseSync>();
  const { exec } = DatabaseSync.prototype;
  t.mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
    connections.add(this);
    return exec.call(this, sql);
  });
  const store = openSqliteStore(join(tempDir(t), 'store.db'));
  t.after(() => store.close());
  const [db] = connections;
  const setting = (name: string) => db?.prepare(`PRAGMA ${name}`).get()?.[name];
  const FULL = 2;
  assert.deepEqual(['synchronous', 'journal_mode', 'locking_mode'].map(setting), [FULL, 'wal', 'exclusive']);
});

test("a second opener is refused and does not loosen the first one's hold", async (t) => {
  const path = join(tempDir(t), 'store.db');
  const store = openSqliteStore(path);
  t.after(() => store.close());
  for (let attempt = 0; attempt < 2; attempt++) {
    assert.throws(() => openSqliteStore(path), valkeeperError('store_in_use', /store\.db/));
  }
  assert.ok((await store.commit([{ put: 'a', value: 1 }])).ok);
});

test('a file that is not a sound store is refused and left as it is', async (t) => {
  const dir = tempDir(t);
  const text = join(dir, 'text.db');
  writeFileSync(text, 'this is not a database, '.repeat(500));
  const foreign = join(dir, 'foreign.db');
  const other = new DatabaseSync(foreign);
  other.exec('CREATE TABLE theirs (id INTEGER)');
  other.close();
  const scribbled = join(dir, 'scribbled.db');
  await filledStore(scribbled);
  const bytes = readFileSync(scribbled);
  writeFileSync(scribbled, bytes.fill(0x5a, 8192, bytes.length - 4096));
  const cut = join(dir, 'cut.db');
  await filledStore(cut);
  truncateSync(cut, 12_288);

  for (const path of [text, foreign, scribbled, cut]) {
    const before = readFileSync(path);
    assert.throws(() => openSqliteStore(path), valkeeperError('store_damaged', new RegExp(path)), path);
    assert.ok(readFileSync(path).equals(before), path);
  }
});

test('a store of a newer Valkeeper is refused and left as it is', async (t) => {
  const path = join(tempDir(t), 'store.db');
  await filledStore(path);
  const db = new DatabaseSync(path);
  db.exec('PRAGMA user_version = 99');
  db.close();
  assert.throws(() => openSqliteStore(path), valkeeperError('store_too_new', /format 99.*up to 2\b/));
  const after = new DatabaseSync(path);
  assert.equal(versionOf(after), 99);
  after.close();
});

test('a place that cannot be written is named', async (t) => {
  const dir = tempDir(t);
  chmodSync(dir, 0o755);
  assert.throws(
    () => openSqliteStore(join(dir, 'none', 'store.db')),
    valkeeperError('file_unusable', /none.*does not exist/),
  );
  const file = join(dir, 'file');
  writeFileSync(file, '');
  assert.throws(() => openSqliteStore(join(file, 'store.db')), valkeeperError('file_unusable', /folder is a file/));
  assert.throws(() => openSqliteStore(dir), valkeeperError('store_unusable', new RegExp(dir)));

  const closed = join(dir, 'closed');
  mkdirSync(closed, { mode: 0o755 });
  const path = join(closed, 'store.db');
  await filledStore(path);
  chmodSync(path, 0o444);
  chmodSync(closed, 0o555);
  unprivileged(() => {
    assert.throws(() => openSqliteStore(join(closed, 'new.db')), valkeeperError('file_unusable', /permission denied/));
    assert.throws(
      () => openSqliteStore(path),
      (error) => valkeeperError('store_unusable')(error) || valkeeperError('file_unusable')(error),
    );
  });
  chmodSync(closed, 0o755);
});

test('a full store refuses the change as a whole and goes on reading and deleting', async (t) => {
  const path = join(tempDir(t), 'store.db');
  const store = openSqliteStore(path, { maxSizeBytes: 256 * 1024 });
  t.after(() => store.close());
  const fill = async () => {
    for (let n = 0; n < 100; n++) {
      await store.commit([
        { put: `small/${n}`, value: n },
        { put: `big/${n}`, value: 'x'.repeat(10_000) },
      ]);
    }
  };
  await assert.rejects(fill(), valkeeperError('store_full', /store\.db is full/));
  const revision = await store.revision();
  assert.equal((await store.list('small/')).length, revision);
  assert.equal((await store.list('big/')).length, revision);
  assert.ok((await store.commit([{ delete: 'big/0' }, { delete: 'big/1' }])).ok);
  assert.ok((await store.commit([{ put: 'big/0', value: 'y'.repeat(10_000) }])).ok);
});

test('a migration happens as a whole or not at all', (t) => {
  const db = new DatabaseSync(join(tempDir(t), 'store.db'));
  t.after(() => db.close());
  const next = { version: MIGRATIONS.length + 1, sql: 'CREATE TABLE more (id INTEGER); INSERT INTO more VALUES (1);' };
  const faulty = { ...next, sql: `${next.sql} INSERT INTO nowhere VALUES (1);` };
  const tables = () => db.prepare(`SELECT name FROM sqlite_schema WHERE name = 'more'`).all().length;
  migrate(db, 'store.db');
  assert.equal(versionOf(db), MIGRATIONS.length);
  assert.throws(() => migrate(db, 'store.db', [...MIGRATIONS, faulty]), /nowhere/);
  assert.deepEqual([versionOf(db), tables()], [MIGRATIONS.length, 0]);
  migrate(db, 'store.db', [...MIGRATIONS, next]);
  migrate(db, 'store.db', [...MIGRATIONS, next]);
  assert.deepEqual([versionOf(db), tables()], [MIGRATIONS.length + 1, 1]);
});

test('versions are numbered from one without gaps', () => {
  assert.deepEqual(
    MIGRATIONS.map(({ version }) => version),
    MIGRATIONS.map((_, index) => index + 1),
  );
});
