/** Backups of real databases, and databases that are made of them: equal in every key, in any number of shards. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { Redis } from 'ioredis';
import type { BackupStatus } from '../../src/domain/backup.ts';
import { ADMIN_USER } from '../../src/domain/database.ts';
import { countSlots, SLOT_COUNT } from '../../src/domain/slots.ts';
import type { NodeStatus } from '../../src/domain/status.ts';
import { type Content, contentOf, differences, primariesOf } from '../support/content.ts';
import { plainClient, Writers } from '../support/endpoint-writers.ts';
import { fillEveryType, fillMany } from '../support/every-type.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import { adminPasswordOf } from '../support/node-manifest.ts';
import { startEngine } from '../support/start-engine.ts';

const NUMBERS = [0, 5, 15];
const KEYS = 3_000;

async function contentOfDatabase(fleet: Fleet, name: string): Promise<Content> {
  const client = await fleet.client(name);
  try {
    await client.ping(); // it knows its nodes then
    return await contentOf(primariesOf(client), NUMBERS);
  } finally {
    client.disconnect();
  }
}

async function backUp(fleet: Fleet, name: string, ...more: string[]): Promise<BackupStatus> {
  const made = await fleet.cli('backup', 'create', name, '--json', ...more);
  assert.equal(made.code, 0, made.stdout);
  return made.json<BackupStatus>();
}

async function restore(fleet: Fleet, name: string, from: string, ...more: string[]): Promise<void> {
  const made = await fleet.cli('db', 'restore', name, '--from', from, '--timeout', '100', ...more);
  assert.equal(made.code, 0, made.stderr);
}

async function create(fleet: Fleet, name: string, shards: number): Promise<void> {
  const made = await fleet.cli('db', 'create', name, '--shards', `${shards}`, '--memory', '256mb');
  assert.equal(made.code, 0, made.stderr);
  const client = await plainClient(fleet, undefined, name);
  await fillEveryType(client);
  await fillMany(client, KEYS, 100);
  client.disconnect();
}

/** From three into one to five: `npm run bench:backup-kills`. */
const SHAPES: readonly (readonly [from: number, to: readonly number[]])[] = [
  [1, [3]],
  [5, [2]],
];

it('restores every key into as many shards as are asked for', async (t) => {
  await withFleet({ machines: 3 }, async (fleet) => {
    assert.equal((await fleet.cli('db', 'delete', 'main', '--yes')).code, 0);
    for (const [from, targets] of SHAPES) {
      await create(fleet, 'one', from);
      const before = await contentOfDatabase(fleet, 'one');
      assert.ok(before.size > KEYS);
      const backup = await backUp(fleet, 'one');
      assert.equal(backup.parts.length, from);
      assert.ok(backup.parts.every(({ role }) => role === 'replica'));
      assert.equal(countSlots(backup.parts.flatMap(({ slots }) => slots)), SLOT_COUNT);
      for (const to of targets) {
        await restore(fleet, 'other', backup.id, '--shards', `${to}`);
        const { state, shards, restore: under, reshard } = await fleet.show('other');
        assert.deepEqual([state, shards.length, under, reshard], ['ready', to, null, null]);
        assert.deepEqual(differences(before, await contentOfDatabase(fleet, 'other')), [], `${from} -> ${to}`);
        const client = await plainClient(fleet, undefined, 'other');
        assert.equal(await client.call('FCALL', 'double', 1, 'k', 21), 42, 'functions are there');
        client.disconnect();
        t.diagnostic(`${from} -> ${to}: ${before.size} keys`);
        assert.equal((await fleet.cli('db', 'delete', 'other', '--yes')).code, 0);
      }
      assert.equal((await fleet.cli('db', 'delete', 'one', '--yes')).code, 0);
    }
  });
});

/** Connections to nodes that keep a list of all their commands from now on, the latest first. */
async function logAllOf(nodes: readonly NodeStatus[]): Promise<Redis[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const { host, port } = node;
      const client = new Redis({ host, port, username: ADMIN_USER, password: adminPasswordOf(node) });
      await client.config('SET', 'slowlog-max-len', '20000');
      await client.config('SET', 'slowlog-log-slower-than', '0');
      return client;
    }),
  );
}

it('takes a backup in the middle of writes, of a plain server too, and refuses what is damaged', async (t) => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const writer = await plainClient(fleet);
    const writers = new Writers(writer, 4);
    const replicas = await logAllOf((await fleet.show()).shards.flatMap((shard) => shard.replicas));
    const backup = await backUp(fleet, 'main');
    for (const replica of replicas) {
      const log = (await replica.call('SLOWLOG', 'GET', '-1')) as [number, number, number, string[]][];
      const settings = log.map(([, , , args]) => args.join(' ')).filter((text) => text.includes('rdb-key-save-delay '));
      assert.equal(settings.length, 2, settings.join());
      assert.match(settings[1]!, /-\d+$/, 'its child is a gentle one');
      assert.match(settings[0]!, / 0$/, 'and those after it are not');
      replica.disconnect();
    }
    await writers.stop();
    writer.disconnect();
    assert.deepEqual(writers.errors, []);
    assert.equal((await fleet.cli('backup', 'verify', backup.id)).code, 0);

    const plain = await startEngine(t);
    const client = new Redis({ host: plain.host, port: plain.port });
    await fillEveryType(client);
    await fillMany(client, KEYS, 100);
    const before = await contentOf([client], NUMBERS);
    await client.save();
    client.disconnect();
    const file = join(plain.dir, 'dump.rdb');
    await restore(fleet, 'imported', file, '--shards', '3');
    assert.deepEqual(differences(before, await contentOfDatabase(fleet, 'imported')), []);

    const whole = readFileSync(file);
    const refusals: [bytes: Buffer, why: RegExp][] = [
      [whole.subarray(0, whole.length - 1), /its end is missing|checksum/],
      [
        Buffer.concat([whole.subarray(0, 2_000), Buffer.from([whole[2_000]! ^ 1]), whole.subarray(2_001)]),
        /its checksum is another/,
      ],
      [Buffer.from('no RDB at all'), /does not begin as an RDB does/],
      [Buffer.concat([Buffer.from('REDIS0012'), whole.subarray(9)]), /it is of version 12/],
    ];
    for (const [bytes, why] of refusals) {
      writeFileSync(file, bytes);
      const refused = await fleet.cli('db', 'restore', 'never', '--from', file, '--json');
      assert.equal(refused.code, 5, refused.stdout);
      assert.match(refused.stdout, why);
    }
    const folder = join(fleet.dir, 'backups', 'main', backup.id);
    assert.deepEqual(readdirSync(folder).sort(), ['manifest.json', 'shard-1.rdb', 'shard-2.rdb', 'shard-3.rdb']);
    const part = join(folder, 'shard-2.rdb');
    const stored = readFileSync(part);
    stored[stored.length >> 1]! ^= 1;
    writeFileSync(part, stored);
    for (const command of [
      ['backup', 'verify', backup.id],
      ['db', 'restore', 'never', '--from', backup.id],
    ]) {
      const refused = await fleet.cli(...command, '--json');
      assert.match(refused.stdout, /"backup_damaged"/);
    }
    const other = await backUp(fleet, 'main');
    writeFileSync(join(folder, 'manifest.json'), 'not what was written');
    const place = join(fleet.dir, 'backups');
    const { backups } = (await fleet.cli('backup', 'list', '--place', place, '--json')).json<{
      backups: BackupStatus[];
    }>();
    assert.deepEqual(
      backups.map(({ id, state }) => [id, state]),
      [
        [backup.id, 'failed'],
        [other.id, 'done'],
      ],
    );
    const names = (await fleet.cli('db', 'list', '--json')).json<{ databases: { name: string }[] }>();
    assert.ok(
      names.databases.every(({ name }) => name !== 'never'),
      'nothing was begun',
    );
  });
});
