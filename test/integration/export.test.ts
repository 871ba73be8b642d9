/** RDB files of real databases: together all that is in them, loaded by plain servers; and none where something dies. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { BackupStatus } from '../../src/domain/backup.ts';
import { countSlots, SLOT_COUNT, type SlotRange } from '../../src/domain/slots.ts';
import { contentOfDatabase } from '../support/backup-kills.ts';
import { type Content, contentOf, differences } from '../support/content.ts';
import { plainClient } from '../support/endpoint-writers.ts';
import { fillEveryType, fillMany } from '../support/every-type.ts';
import { type Fleet, isSettled, withFleet } from '../support/fleet.ts';
import { processesUnder } from '../support/leaks.ts';
import { startEngine } from '../support/start-engine.ts';

const NUMBERS = [0, 5, 15];
const KEYS = 3_000;

interface Exported {
  files: { path: string; bytes: number; slots: SlotRange[]; role: string; forkedAt: string }[];
  skewMs: number;
}

/** What a plain server has that is started on the file. */
async function contentOfFile(t: TestContext, folder: string, name: string): Promise<Content> {
  const args = ['--dir', folder, '--dbfilename', name, '--databases', '16'];
  const engine = await startEngine(t, { args });
  const client = new Redis({ host: engine.host, port: engine.port });
  try {
    assert.equal(await client.call('FCALL', 'double', 1, 'k', 21), 42, 'functions are there');
    return await contentOf([client], NUMBERS);
  } finally {
    client.disconnect();
    await engine.stop();
  }
}

it('writes a file a shard, which a plain server loads, and together they are the database', async (t) => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const client = await plainClient(fleet);
    await fillEveryType(client);
    await fillMany(client, KEYS, 100);
    client.disconnect();
    const before = await contentOfDatabase(fleet, 'main', NUMBERS);
    const folder = join(fleet.dir, 'made', 'for it');
    const made = await fleet.cli('db', 'export', 'main', '--to', folder, '--json');
    assert.equal(made.code, 0, made.stdout);
    const { files, skewMs } = made.json<Exported>();
    const names = ['main-shard-1.rdb', 'main-shard-2.rdb', 'main-shard-3.rdb'];
    assert.deepEqual(readdirSync(folder).sort(), names);
    assert.equal(countSlots(files.flatMap(({ slots }) => slots)), SLOT_COUNT);
    for (const { path, bytes, role, forkedAt } of files) {
      const { size, mode } = statSync(path);
      assert.deepEqual([size, mode & 0o777, role], [bytes, 0o600, 'replica']);
      assert.ok(Date.now() - Date.parse(forkedAt) < 60_000);
    }
    const together: Content = new Map();
    for (const name of names) {
      for (const [key, value] of await contentOfFile(t, folder, name)) {
        assert.ok(!together.has(key), `${key} is in two files`);
        together.set(key, value);
      }
    }
    assert.deepEqual(differences(before, together), []);
    t.diagnostic(`${together.size} keys in ${files.length} files, ${skewMs} ms apart`);

    const whole = readFileSync(join(folder, names[1]!));
    const refused = await fleet.cli('db', 'export', 'main', '--to', folder, '--json');
    assert.deepEqual([refused.code, /"export_exists"/.test(refused.stdout)], [4, true], refused.stdout);
    assert.ok(whole.equals(readFileSync(join(folder, names[1]!))), 'what was there is kept');
    assert.equal((await fleet.cli('db', 'export', 'main', '--to', folder, '--force')).code, 0);
    assert.ok(!whole.equals(readFileSync(join(folder, names[1]!))), 'it was replaced');
    assert.deepEqual(readdirSync(folder).sort(), names);

    const token = readFileSync(join(fleet.dir, 'token'), 'utf8').trim();
    const path = `http://127.0.0.1:${fleet.apiPort}/v1/databases/main/shards/shard-9/rdb`;
    const unknown = await fetch(path, { headers: { authorization: `Bearer ${token}` } });
    assert.match(unknown.headers.get('content-type')!, /^application\/problem\+json/);
    assert.match(await unknown.text(), /"shard_not_found"/);
    assert.equal((await fleet.cli('db', 'export', 'nobody', '--to', folder)).code, 3);
  });
});

const LARGE_KEYS = 500;
const LARGE_BYTES = 256 * 1024;

/** Held still by whoever reads, once so much has come that the end has not. */
async function heldExport(fleet: Fleet, folder: string): Promise<ChildProcess> {
  const child = fleet.spawn('db', 'export', 'large', '--to', folder, '--json');
  const deadline = performance.now() + 10_000;
  const bytes = (): number =>
    existsSync(folder) ? readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) : 0;
  while (bytes() === 0) {
    assert.ok(performance.now() < deadline, 'nothing came');
    await pause(2);
  }
  child.kill('SIGSTOP');
  return child;
}

async function endOf(child: ChildProcess, signal: NodeJS.Signals = 'SIGCONT'): Promise<string> {
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  if (signal !== 'SIGCONT') child.kill(signal);
  child.kill('SIGCONT');
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 6, text);
  return (JSON.parse(text) as { error: { code: string } }).error.code;
}

const serverOf = (fleet: Fleet): number =>
  processesUnder(fleet.dir).find(({ command }) => command.includes(' server'))!.pid;
const residentBytes = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

it('leaves no file where a node, the server or the command ends in the middle', async (t) => {
  await withFleet({ machines: 2 }, async (fleet) => {
    const made = await fleet.cli('db', 'create', 'large', '--shards', '1', '--memory', '512mb');
    assert.equal(made.code, 0, made.stderr);
    const client = await plainClient(fleet, undefined, 'large');
    for (let key = 0; key < LARGE_KEYS; key += 1) await client.set(`large:${key}`, randomBytes(LARGE_BYTES));
    client.disconnect();
    const folder = join(fleet.dir, 'exported');

    const pid = serverOf(fleet);
    const before = residentBytes(pid);
    const stopped = await heldExport(fleet, folder);
    await pause(1_000);
    const grown = residentBytes(pid) - before;
    t.diagnostic(`the server grew by ${Math.round(grown / 1024 ** 2)} MB before a reader who stands still`);
    assert.ok(grown < 80 * 1024 ** 2, `the server keeps what nobody takes: ${grown} bytes`);
    assert.equal(await endOf(stopped, 'SIGINT'), 'interrupted');
    assert.deepEqual(readdirSync(folder), []);
    const backup = await fleet.cli('backup', 'create', 'large', '--json');
    assert.equal(backup.code, 0, 'its turn is over');

    const held = await heldExport(fleet, folder);
    const [replica] = (await fleet.show('large')).shards[0]!.replicas;
    process.kill(replica!.pid!, 'SIGKILL');
    assert.equal(await endOf(held), 'export_failed');
    assert.deepEqual(readdirSync(folder), []);
    await fleet.until('large', isSettled);

    const cut = await heldExport(fleet, folder);
    process.kill(serverOf(fleet), 'SIGKILL');
    assert.equal(await endOf(cut), 'export_failed');
    assert.deepEqual(readdirSync(folder), []);
    await fleet.up();
    await fleet.until('large', isSettled);

    const { id } = backup.json<BackupStatus>();
    assert.equal((await fleet.cli('db', 'restore', 'other', '--from', id, '--no-wait')).code, 0);
    const refused = await fleet.cli('db', 'export', 'other', '--to', folder, '--json');
    assert.match(refused.stdout, /"restore_running"/);
    assert.equal((await fleet.cli('db', 'export', 'large', '--to', folder)).code, 0);
    assert.deepEqual(readdirSync(folder), ['large-shard-1.rdb']);
  });
});
