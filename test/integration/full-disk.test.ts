/** A disk that is full and memory that is used up, told in conditions; a primary whose disk is full hands over, once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readlinkSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Cluster } from 'ioredis';
import type { Event } from '../../src/domain/event.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { Fleet, isSettled } from '../support/fleet.ts';

const MACHINES = ['machine-1', 'machine-2'];

let fleet: Fleet;

const disks = (): string[] => MACHINES.map((machine) => join(fleet.dir, 'machines', machine, 'nodes'));

before(async () => {
  fleet = await Fleet.prepare({ machines: MACHINES.length });
  for (const disk of disks()) {
    mkdirSync(disk, { recursive: true, mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m,mode=700', 'none', disk]);
  }
  await fleet.up();
  const shape = ['--shards', '1', '--replicas', '1', '--persistence', 'aof', '--memory', '64mb'];
  const made = await fleet.cli('db', 'create', 'full', ...shape);
  assert.equal(made.code, 0, made.stderr);
});

after(async () => {
  try {
    const down = await fleet.cli('down');
    assert.equal(down.code, 0, down.stderr);
  } finally {
    for (const disk of disks()) execFileSync('umount', ['--lazy', disk]);
    await fleet.abandon();
  }
});

/** Takes all the room that is left. @returns how to give it back */
function fill(folder: string): () => void {
  const path = join(folder, 'ballast');
  const file = openSync(path, 'w');
  for (let part = 1024 ** 2; part >= 1; part /= 2) {
    try {
      for (;;) if (writeSync(file, Buffer.alloc(part)) < part) break;
    } catch {
      // full for parts of this size
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

async function withClient<T>(name: string, work: (client: Cluster) => Promise<T>): Promise<T> {
  const client = await fleet.client(name);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

const codesOf = ({ conditions }: DatabaseStatus): string[] => conditions.map(({ code }) => code);

async function eventsOf(name: string): Promise<Event[]> {
  const listed = await fleet.cli('events', '--database', name, '--json', '--limit', '1000');
  return listed.json<{ events: Event[] }>().events;
}

test('a primary whose disk is full hands over to its copy on another machine, once; nothing acknowledged is lost', async () => {
  const [shard] = (await fleet.until('full', isSettled)).shards;
  const old = shard!.primary!;
  const acknowledged: string[] = [];
  const refusals: string[] = [];
  await withClient('full', async (client) => {
    await client.set('before', '1');
    const makeRoom = fill(dirname(readlinkSync(`/proc/${old.pid}/cwd`)));
    try {
      // Written until a copy on the other machine takes writes again.
      await fleet.until('full', ({ shards: [now] }) => {
        const key = `key:${acknowledged.length + refusals.length}`;
        client.set(key, 'x'.repeat(8192)).then(
          () => acknowledged.push(key),
          (error: Error) => refusals.push(error.message),
        );
        return now!.primary !== null && now!.primary.machine !== old.machine;
      });
      const told = await fleet.until('full', (status) => codesOf(status).includes('disk_failing'));
      const failing = told.conditions.find(({ code }) => code === 'disk_failing')!;
      assert.equal(failing.machine, old.machine);
      assert.match(failing.message, /cannot write its append-only log/);
      assert.equal(await client.set('meanwhile', '1'), 'OK');
      assert.ok(
        refusals.every((text) => text.startsWith('MISCONF')),
        refusals.join('\n'),
      );
    } finally {
      makeRoom();
    }
    const well = await fleet.until('full', isSettled);
    assert.equal(well.shards[0]!.primary!.machine, shard!.replicas[0]!.machine, 'it does not go back');
    assert.equal(well.shards[0]!.replicas[0]!.pid, old.pid, 'the old process was never ended');
    for (const key of ['before', 'meanwhile', ...acknowledged]) assert.ok(await client.exists(key), key);
  });
  const events = await eventsOf('full');
  const asked = events.filter(({ details }) => details?.['step'] === 'want_primary');
  assert.equal(asked.length, 1, JSON.stringify(asked));
});

test('a primary that has used up its memory is told, and told no longer when there is room', async () => {
  await withClient('full', async (client) => {
    let refused = '';
    for (let n = 0; refused === ''; n += 1) {
      assert.ok(n < 200, 'it takes everything');
      // Expanded in memory, short in the log: the disk here is small.
      refused = await client.setrange(`big:${n}`, 1024 ** 2, 'x').then(
        () => '',
        (error: Error) => error.message,
      );
    }
    assert.match(refused, /^OOM/);
    const told = await fleet.until('full', (status) => codesOf(status).includes('memory_full'));
    assert.match(told.conditions.find(({ code }) => code === 'memory_full')!.message, /of 64 ?mb/i);
    for (let n = 0; n < 20; n += 1) await client.del(`big:${n}`);
    await fleet.until('full', (status) => !codesOf(status).includes('memory_full'));
  });
});
