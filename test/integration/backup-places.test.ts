/** Encrypted backups in a store that speaks S3, and a fleet that has nothing but the key. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { BackupStatus } from '../../src/domain/backup.ts';
import { isReached, untilArchived } from '../support/archive-window.ts';
import { contentOfDatabase } from '../support/backup-kills.ts';
import { differences } from '../support/content.ts';
import { plainClient } from '../support/endpoint-writers.ts';
import { fillEveryType } from '../support/every-type.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import { S3_CREDENTIALS, startS3 } from '../support/s3.ts';

const KEY = `${'5f'.repeat(31)}a0`;
const NUMBERS = [0, 5, 15];
const SECRET = 'of nobody else';

/** Each fleet's processes have these for their environment. */
function setEnvironment(key: string | null): void {
  process.env['AWS_ACCESS_KEY_ID'] = S3_CREDENTIALS.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = S3_CREDENTIALS.secretAccessKey;
  if (key === null) delete process.env['VALKEEPER_BACKUP_KEY'];
  else process.env['VALKEEPER_BACKUP_KEY'] = key;
}

const passwordOf = async (fleet: Fleet, name: string, ...user: string[]): Promise<string> =>
  (await fleet.cli('db', 'password', name, '--json', ...user)).json<{ password: string }>().password;

/** All bytes of the files in a folder. */
const bytesIn = (folder: string): Buffer =>
  Buffer.concat(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path)),
  );

it('is restored by another fleet with the key, passwords included, and not without', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'valkeeper-s3-'));
  const s3 = await startS3(dir);
  t.after(async () => {
    await s3.kill();
    rmSync(dir, { recursive: true, force: true });
  });
  const place = `s3://${s3.bucket}/fleet?endpoint=${s3.endpoint}&region=us-east-1`;

  setEnvironment(KEY);
  const made = await withFleetResult(async (fleet) => {
    const spec = ['--shards', '2', '--memory', '128mb', '--user', 'app=~app:* +@all'];
    const created = await fleet.cli('db', 'create', 'one', ...spec);
    assert.equal(created.code, 0, created.stderr);
    const client = await plainClient(fleet, undefined, 'one');
    await fillEveryType(client);
    await client.set('secret', SECRET);
    client.disconnect();
    const backup = await fleet.cli('backup', 'create', 'one', '--to', place, '--json');
    assert.equal(backup.code, 0, backup.stdout);
    const { id, encrypted } = backup.json<BackupStatus>();
    assert.ok(encrypted);
    assert.equal((await fleet.cli('backup', 'verify', id)).code, 0);
    const content = await contentOfDatabase(fleet, 'one', NUMBERS);
    const passwords = [await passwordOf(fleet, 'one'), await passwordOf(fleet, 'one', '--user', 'app')];
    return { id, content, passwords, moment: await archived(fleet, place) };
  });
  const stored = bytesIn(dir);
  for (const text of [SECRET, ...made.passwords]) assert.equal(stored.indexOf(text), -1, 'it lies there in the open');

  await withFleetResult(async (fleet) => {
    const list = (await fleet.cli('backup', 'list', '--place', place, '--json')).json<{ backups: BackupStatus[] }>();
    assert.deepEqual(
      list.backups.map(({ id }) => id),
      [made.id],
    );
    const restored = await fleet.cli('db', 'restore', 'two', '--from', made.id, '--place', place, '--shards', '3');
    assert.equal(restored.code, 0, restored.stderr);
    assert.deepEqual(differences(made.content, await contentOfDatabase(fleet, 'two', NUMBERS)), []);
    assert.deepEqual([await passwordOf(fleet, 'two'), await passwordOf(fleet, 'two', '--user', 'app')], made.passwords);
    const then = ['db', 'restore', 'then', '--from', 'one', '--at', made.moment, '--place', place];
    const back = await fleet.cli(...then);
    assert.equal(back.code, 0, back.stderr);
    const found = await plainClient(fleet, undefined, 'then');
    assert.deepEqual(await found.mget('changed', 'secret'), ['before', SECRET]);
    found.disconnect();
  });

  setEnvironment(`${'1f'.repeat(31)}a0`);
  await withFleetResult(async (fleet) => {
    const refused = await fleet.cli('db', 'restore', 'two', '--from', made.id, '--place', place, '--json');
    assert.match(refused.stdout, /"backup_key_wrong"/);
    const list = (await fleet.cli('backup', 'list', '--place', place, '--json')).json<{ backups: BackupStatus[] }>();
    assert.deepEqual(
      list.backups.map(({ id }) => id),
      [made.id],
      'what is there is seen without its key',
    );
    const elsewhere = place.replace('backups', 'no-such-bucket');
    const nowhere = await fleet.cli('backup', 'create', 'main', '--to', elsewhere, '--json');
    assert.equal(nowhere.code, 6, nowhere.stdout);
    assert.match(nowhere.stdout, /no-such-bucket/);
  });
  setEnvironment(null);
});

/** Archives its log in the place, with a key that is changed after the moment. @returns the moment, once it is in the window */
async function archived(fleet: Fleet, place: string): Promise<string> {
  const begun = await fleet.cli('backup', 'archive', 'one', '--to', place, '--every', '1s');
  assert.equal(begun.code, 0, begun.stderr);
  const client = await plainClient(fleet, undefined, 'one');
  await untilArchived(fleet, 'one', ({ window }) => window.length > 0);
  await client.set('changed', 'before');
  const moment = Math.floor(Date.now() / 1_000) * 1_000;
  await pause(1_100);
  await client.set('changed', 'after');
  client.disconnect();
  await untilArchived(fleet, 'one', (archive) => isReached(archive, moment / 1_000));
  return new Date(moment).toISOString();
}

async function withFleetResult<T>(work: (fleet: Fleet) => Promise<T>): Promise<T> {
  let result: T | undefined;
  await withFleet({ machines: 2 }, async (fleet) => {
    result = await work(fleet);
  });
  return result as T;
}
