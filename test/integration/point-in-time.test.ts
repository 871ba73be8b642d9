/** A database restored to moments of its past, out of its archived log: every key as it was at the end of that second. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { ArchiveStatus } from '../../src/domain/archive.ts';
import { ADMIN_USER } from '../../src/domain/database.ts';
import { isReached, untilArchived } from '../support/archive-window.ts';
import { type Content, contentOf, differences, primariesOf } from '../support/content.ts';
import { plainClient } from '../support/endpoint-writers.ts';
import { fillEveryType } from '../support/every-type.ts';
import { Fleet, withFleet } from '../support/fleet.ts';
import { processesUnder } from '../support/leaks.ts';
import { adminPasswordOf } from '../support/node-manifest.ts';
import { TimedWriter, timedContent } from '../support/timed-writer.ts';

const NUMBERS = [0, 5, 15];

const iso = (second: number): string => new Date(second * 1_000).toISOString();
const secondsOf = (text: string): number => Date.parse(text) / 1_000;

/** The window, once it has this second. */
const reaching = (fleet: Fleet, second: number): Promise<ArchiveStatus> =>
  untilArchived(fleet, 'main', (archive) => isReached(archive, second));

async function nodesOf<T>(
  fleet: Fleet,
  name: string,
  use: (nodes: ReturnType<typeof primariesOf>) => Promise<T>,
): Promise<T> {
  const client = await fleet.client(name);
  try {
    await client.ping(); // it knows its nodes then
    return await use(primariesOf(client));
  } finally {
    client.disconnect();
  }
}

async function killPrimary(fleet: Fleet, shard: string): Promise<void> {
  const { shards } = await fleet.show();
  process.kill(shards.find((one) => one.id === shard)!.primary!.pid!, 'SIGKILL');
}

/** Every primary's, all at once. */
async function rewriteLogs(fleet: Fleet): Promise<void> {
  const { shards } = await fleet.show();
  for (const { primary } of shards) {
    const { host, port } = primary!;
    const node = new Redis({ host, port, username: ADMIN_USER, password: adminPasswordOf(primary!) });
    await node.call('BGREWRITEAOF');
    node.disconnect();
  }
}

/** Restores the moment and compares. */
async function assertRestored(
  fleet: Fleet,
  at: number,
  writer: TimedWriter,
  others: Content,
  ...more: string[]
): Promise<void> {
  const made = await fleet.cli('db', 'restore', 'then', '--from', 'main', '--at', iso(at), '--timeout', '60', ...more);
  assert.equal(made.code, 0, made.stderr);
  await nodesOf(fleet, 'then', async (nodes) => {
    const found = await timedContent(nodes);
    const wanted = writer.at(at);
    assert.deepEqual([...found].sort(), [...wanted].sort(), `at ${iso(at)}`);
    const all = await contentOf(nodes, NUMBERS);
    const rest: Content = new Map([...all].filter(([key]) => others.has(key)));
    assert.deepEqual(differences(others, rest), []);
    assert.equal(all.size, others.size + wanted.size, 'and nothing else is there');
  });
  const client = await plainClient(fleet, undefined, 'then');
  assert.equal(await client.call('FCALL', 'double', 1, 'k', 21), 42, 'functions are there');
  client.disconnect();
  assert.equal((await fleet.cli('db', 'delete', 'then', '--yes')).code, 0);
}

it('restores every key as it was at a moment, over a failover, a log written anew and moved slots', async (t) => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const client = await plainClient(fleet);
    client.on('error', () => {}); // its primary is killed
    await fillEveryType(client);
    const others = await nodesOf(fleet, 'main', (nodes) => contentOf(nodes, NUMBERS));
    const begun = await fleet.cli('backup', 'archive', 'main', '--every', '1s', '--json');
    assert.equal(begun.code, 0, begun.stdout);
    const before = Math.floor(Date.now() / 1_000) - 1;
    await pause(3_000);
    const writer = new TimedWriter(client);

    const first = await writer.during(3);
    // The logs that were archived so far are written anew, and what is in them is removed by the engine.
    await rewriteLogs(fleet);
    const rewritten = await writer.during(2);
    await killPrimary(fleet, 'shard-1');
    await fleet.until('main', ({ state }) => state === 'ready');
    const failedOver = await writer.during(2);
    await reaching(fleet, rewritten - 1);
    await assertRestored(fleet, rewritten - 1, writer, others);
    await reaching(fleet, failedOver);
    const moving = Math.floor(Date.now() / 1_000) + 1;
    assert.equal((await fleet.cli('db', 'update', 'main', '--shards', '2')).code, 0);
    await pause(2_000); // beside the change of the slots nothing can be restored
    const moved = await writer.during(2);
    client.disconnect();
    await assertRestored(fleet, failedOver, writer, others, '--shards', '1');
    const archive = await reaching(fleet, moved);
    t.diagnostic(JSON.stringify(archive.window));
    await assertRestored(fleet, moved, writer, others);

    const shown = await fleet.show('main');
    assert.ok(shown.archive?.until && secondsOf(shown.archive.until) >= moved);
    const refusals: [at: number, why: RegExp][] = [
      [before, /earlier than what is kept/],
      [moved + 3_600, /later than what was fetched/],
      [moving, /slots were on their way/],
    ];
    for (const [at, why] of refusals) {
      const refused = await fleet.cli('db', 'restore', 'never', '--from', 'main', '--at', iso(at), '--json');
      assert.equal(refused.code, 5, `${iso(at)}: ${refused.stdout}`);
      assert.match(refused.stdout, why);
      assert.match(refused.stdout, new RegExp(archive.window[0]!.from.replaceAll('.', '\\.')), 'the window is named');
    }

    assert.equal((await fleet.cli('backup', 'archive', 'main', '--off')).code, 0);
    const shards = join(fleet.dir, 'backups', '_archive', 'main', archive.databaseUid, 'shards', 'shard-2');
    const chain = readdirSync(shards).sort()[0]!;
    const logs = join(shards, chain, 'log');
    const piece = join(logs, readdirSync(logs).sort()[0]!);
    const stored = readFileSync(piece);
    stored[stored.length - 40]! ^= 1;
    writeFileSync(piece, stored);
    const damaged = await fleet.cli('db', 'restore', 'never', '--from', 'main', '--at', iso(first - 2), '--json');
    assert.match(damaged.stdout, /"backup_damaged"/);
    assert.match(damaged.stdout, new RegExp(readdirSync(logs).sort()[0]!), 'the object is named');
    const names = (await fleet.cli('db', 'list', '--json')).json<{ databases: { name: string }[] }>();
    assert.ok(
      names.databases.every(({ name }) => name !== 'never'),
      'nothing was begun',
    );
  });
});

it('goes on after the server was killed, is closed with the key, and outlives its database', async () => {
  const fleet = await Fleet.prepare({ machines: 2 });
  process.env['VALKEEPER_BACKUP_KEY'] = `${'a1'.repeat(31)}b2`;
  try {
    await fleet.up();
    const place = join(fleet.dir, 'archives');
    assert.equal((await fleet.cli('db', 'create', 'plain', '--persistence', 'snapshot', '--memory', '64mb')).code, 0);
    const refused = await fleet.cli('backup', 'archive', 'plain', '--to', place, '--json');
    assert.equal(refused.code, 5);
    assert.match(refused.stdout, /keeps no append-only log.*--persistence aof/);
    const client = await plainClient(fleet);
    const begun = await fleet.cli(
      'backup',
      'archive',
      'main',
      '--every',
      '1s',
      '--keep-days',
      '2',
      '--to',
      place,
      '--json',
    );
    const { databaseUid, encrypted } = begun.json<ArchiveStatus>();
    assert.equal(encrypted, true);
    await pause(3_000);
    const writer = new TimedWriter(client);
    const before = await writer.during(1);
    await reaching(fleet, before);

    const { pid } = processesUnder(fleet.dir).find(({ command }) => command.includes(' server'))!;
    process.kill(pid, 'SIGKILL');
    await fleet.up();
    const after = await writer.during(2);
    const { window } = await reaching(fleet, after);
    client.disconnect();
    assert.equal(window.length, 1, 'nothing is missing');
    const archive = join(place, '_archive', 'main', databaseUid);
    const shards = join(archive, 'shards');
    for (const shard of readdirSync(shards))
      assert.equal(readdirSync(join(shards, shard)).length, 1, 'one chain goes on');

    assert.equal((await fleet.cli('db', 'delete', 'main', '--yes')).code, 0);
    const restore = ['db', 'restore', 'then', '--at', iso(after), '--timeout', '60'];
    const made = await fleet.cli(...restore, '--from', databaseUid);
    assert.equal(made.code, 0, made.stderr);
    const found = await nodesOf(fleet, 'then', timedContent);
    assert.deepEqual([...found].sort(), [...writer.at(after)].sort());
    assert.equal((await fleet.cli('db', 'delete', 'then', '--yes')).code, 0);
    // Two pieces that have changed places are seen, though each is whole.
    const logs = join(shards, 'shard-1', readdirSync(join(shards, 'shard-1'))[0]!, 'log');
    const [one = '', other = ''] = readdirSync(logs).sort();
    const [first, second] = [readFileSync(join(logs, one)), readFileSync(join(logs, other))];
    writeFileSync(join(logs, one), second);
    writeFileSync(join(logs, other), first);
    const exchanged = await fleet.cli(...restore, '--from', 'main', '--place', place, '--json');
    assert.match(exchanged.stdout, /"backup_damaged"[^}]*it is not what was written under this name/);
    const removed = await fleet.cli('backup', 'archive', databaseUid, '--delete', '--yes');
    assert.equal(removed.code, 0, removed.stderr);
    assert.equal(existsSync(archive), false);
    await fleet.stop();
  } finally {
    delete process.env['VALKEEPER_BACKUP_KEY'];
    await fleet.abandon();
  }
});
