/**
 * Machines that are lost while no control plane is there: the others take over within a lease, whatever the number of
 * shards, and what comes back is fenced. Real hosts, mutual TLS, writes through an endpoint.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { VoterList } from '../../src/domain/roster.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { PasswordDocument } from '../../src/protocol/api.ts';
import { JoinedFleet, until } from '../support/joined-fleet.ts';
import { cut, ensureFaultTools, mend } from '../support/net-faults.ts';
import { NetWriters } from '../support/net-writers.ts';

const MACHINES = ['m1', 'm2', 'm3'];
/** Time for an endpoint to notice, for copies to be made, and for a busy machine. */
const WAIT_MS = 10_000;
const CUT_MS = 6_000;
const isRoot = process.getuid?.() === 0;

/** Every agent knows who votes, and all can be taken over from. */
const isArmed = (fleet: JoinedFleet): boolean =>
  MACHINES.every((name, index) => {
    const path = join(fleet.home(index + 1), 'machines', name, 'roster.json');
    if (!existsSync(path)) return false;
    const { voters } = JSON.parse(readFileSync(path, 'utf8')) as { voters: VoterList };
    return voters.voters.length === MACHINES.length && voters.voters.every(({ leased }) => leased);
  });

it('replaces the primaries of a machine that is cut off, with no control plane there', {
  skip: isRoot ? false : 'needs root',
}, async (t) => {
  await ensureFaultTools();
  const fleet = await JoinedFleet.start(t, MACHINES.length + 2);
  for (const [index, name] of MACHINES.entries()) await fleet.join(index + 1, name);
  const create = (name: string, shards: string): Promise<DatabaseStatus> =>
    fleet.ask('db', 'create', name, '--shards', shards, '--replicas', '1', '--memory', '48mb', '--persistence', 'none');
  const databases = [await create('one', '1'), await create('three', '3')];
  // The endpoint of a machine that stays.
  const lost = databases[0]!.shards[0]!.primary!.machine;
  const stays = MACHINES.find((name) => name !== lost)!;
  const writers = await Promise.all(
    databases.map(async ({ name, endpoints }) => {
      const { host, port } = endpoints.find(({ machine }) => machine === stays)!;
      const { password } = await fleet.ask<PasswordDocument>('db', 'password', name);
      const some = await NetWriters.start(fleet.client, { host, port, password, writers: 6, pauseMs: 10 });
      t.after(() => some.close());
      return some;
    }),
  );
  await until('every agent knows who votes', () => isArmed(fleet) || null);
  fleet.server.kill('SIGKILL');
  await pause(1_000);
  for (const some of writers) assert.deepEqual((await some.mark()).errors, {}, 'nothing fails without a control plane');

  const where = fleet.hosts[MACHINES.indexOf(lost) + 1]!;
  await cut(where);
  await pause(CUT_MS);
  const waits = await Promise.all(writers.map((some) => some.mark()));
  await mend(where);
  for (const [index, { acknowledged, errors, longestWaitMs }] of waits.entries()) {
    const { name } = databases[index]!;
    for (const message of Object.keys(errors)) assert.match(message, /^UNKNOWNOUTCOME/);
    assert.ok(acknowledged > 0 && longestWaitMs < CUT_MS, `${name} waited ${longestWaitMs} ms`);
    t.diagnostic(`${name}: the longest write waited ${Math.round(longestWaitMs)} ms`);
  }
  await pause(1_000);
  await fleet.startServer();
  await until('the server answers', async () => (await fleet.cli('status')).code === 0 || null);
  for (const { name } of databases) {
    await until(`${name} is ready`, async () => {
      const { state } = await fleet.ask<DatabaseStatus>('db', 'show', name);
      return state === 'ready' || null;
    });
  }
  for (const some of writers) {
    const after = await some.mark();
    assert.ok(after.longestWaitMs < WAIT_MS);
    const { checked, lost: lostWrites } = await some.verify();
    assert.ok(checked > 100);
    assert.equal(lostWrites, 0, 'what was acknowledged through an endpoint that stayed');
  }
});
