/** Kills in the middle of backups and restores, and what must hold afterwards: none is taken for whole that is not. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { BackupStatus } from '../../src/domain/backup.ts';
import type { Random } from '../sim/random.ts';
import { type Content, contentOf, differences, primariesOf } from './content.ts';
import { plainClient } from './endpoint-writers.ts';
import type { Fleet } from './fleet.ts';
import { processesUnder } from './leaks.ts';

const VICTIMS = ['server', 'agent', 'node'] as const;
type Victim = (typeof VICTIMS)[number];

/** Within this time after the beginning; both are over by then on most machines. */
const LATEST_MS = { backup: 400, restore: 4_000 };
const SETTLED_MS = 60_000;

export interface Kill {
  what: 'backup' | 'restore';
  victim: Victim;
  atMs: number;
  /** What became of it. */
  outcome: string;
}

/** One process of this kind, of those that run now. */
function strike(fleet: Fleet, victim: Victim, random: Random): void {
  const of: Record<Victim, (command: string) => boolean> = {
    server: (command) => command.includes(' server'),
    agent: (command) => command.includes('agent-process'),
    node: (command) => command.includes('valkey-server'),
  };
  const found = processesUnder(fleet.dir).filter(({ command }) => of[victim](command));
  assert.ok(found.length > 0, `no ${victim} runs`);
  process.kill(random.pick(found).pid, 'SIGKILL');
}

/** The content of a database by what its primaries have. */
export async function contentOfDatabase(fleet: Fleet, name: string, numbers: readonly number[]): Promise<Content> {
  const client = await fleet.client(name);
  try {
    await client.ping(); // it knows its nodes then
    return await contentOf(primariesOf(client), numbers);
  } finally {
    client.disconnect();
  }
}

/** A backup in the middle of which something dies: it is whole, or it is not there. */
export async function killInBackup(fleet: Fleet, name: string, random: Random): Promise<Kill> {
  const victim = random.pick(VICTIMS);
  const atMs = random.below(LATEST_MS.backup);
  const begun = (await fleet.cli('backup', 'create', name, '--no-wait', '--json')).json<BackupStatus>();
  await pause(atMs);
  strike(fleet, victim, random);
  await fleet.up();
  const backup = await ended(fleet, begun.id);
  const manifest = join(fleet.dir, 'backups', name, begun.id, 'manifest.json');
  const verified = await fleet.cli('backup', 'verify', begun.id, '--json');
  const listed = (await fleet.cli('backup', 'list', '--place', join(fleet.dir, 'backups'), '--json')).json<{
    backups: BackupStatus[];
  }>();
  const isListed = listed.backups.some(({ id }) => id === begun.id);
  const isDone = backup.state === 'done';
  assert.deepEqual([existsSync(manifest), verified.code === 0, isListed], [isDone, isDone, isDone], verified.stdout);
  return { what: 'backup', victim, atMs, outcome: backup.problem ?? 'done' };
}

async function ended(fleet: Fleet, id: string): Promise<BackupStatus> {
  const deadline = performance.now() + SETTLED_MS;
  for (;;) {
    const backup = (await fleet.cli('backup', 'show', id, '--json')).json<BackupStatus>();
    if (backup.state !== 'running') return backup;
    assert.ok(performance.now() < deadline, `${id} is still running`);
    await pause(100);
  }
}

/** A restore in the middle of which something dies: whenever somebody is let in, everything is there. */
export async function killInRestore(
  fleet: Fleet,
  given: { from: string; content: Content; numbers: readonly number[]; shards: number },
  random: Random,
): Promise<Kill> {
  const victim = random.pick(VICTIMS);
  const atMs = random.below(LATEST_MS.restore);
  const name = 'restored';
  const shape = ['--shards', `${given.shards}`, '--memory', '256mb', '--no-wait'];
  const begun = await fleet.cli('db', 'restore', name, '--from', given.from, ...shape);
  assert.equal(begun.code, 0, begun.stderr);
  await pause(atMs);
  strike(fleet, victim, random);
  await fleet.up();
  const status = await fleet.until(
    name,
    ({ endpoint, restore }) => restore?.stage !== 'load' && endpoint !== null,
    SETTLED_MS,
  );
  const client = await plainClient(fleet, undefined, name);
  const keys = await client.dbsize();
  client.disconnect();
  const inZero = [...given.content.keys()].filter((key) => key.startsWith('0 ')).length;
  // More while slots are on their way: both sides have them for a moment.
  assert.ok(keys >= inZero, `somebody was let in with ${keys} of ${inZero} keys`);
  await fleet.until(
    name,
    ({ state, restore, reshard, shards }) =>
      state === 'ready' && restore === null && reshard === null && shards.length === given.shards,
    SETTLED_MS,
  );
  assert.deepEqual(differences(given.content, await contentOfDatabase(fleet, name, given.numbers)), []);
  assert.equal((await fleet.cli('db', 'delete', name, '--yes')).code, 0);
  return { what: 'restore', victim, atMs, outcome: status.restore ? 'let in, then spread' : 'let in' };
}
