/** What becomes of clients when machines are cut off and when all agents die. Real hosts, mutual TLS, writes through endpoints. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { RosterContent } from '../../src/agent/roster.ts';
import type { FailoverRecord } from '../../src/domain/failover.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { PasswordDocument } from '../../src/protocol/api.ts';
import type { Host } from '../support/hosts.ts';
import { JoinedFleet, type Running, until } from '../support/joined-fleet.ts';
import { cut, ensureFaultTools, mend } from '../support/net-faults.ts';
import { NetWriters } from '../support/net-writers.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
/** Of what an isolated client was told after the cut, nothing is later than this. */
const ISOLATED_MS = 3_000;
const WITHOUT_AGENTS_MS = 10_000;

/** Writes without which a loss would hardly be seen. */
const ENOUGH = 100;

interface Scene {
  fleet: JoinedFleet;
  agents: Running[];
}

/** Machines m1, m2, ..., all of which vote and can be taken over from. @param witness the last one has no nodes */
async function sceneOf(t: TestContext, count: number, witness: boolean): Promise<Scene> {
  await ensureFaultTools();
  const fleet = await JoinedFleet.start(t, count + 2);
  const agents: Running[] = [];
  for (let index = 1; index <= count; index += 1) {
    const words = witness && index === count ? ['--witness'] : [];
    agents.push(await fleet.join(index, `m${index}`, ...words));
  }
  return { fleet, agents };
}

const untilArmed = (fleet: JoinedFleet, count: number): Promise<boolean> =>
  until('every agent knows who votes', () => {
    const isArmed = Array.from({ length: count }, (_, index) => index + 1).every((index) => {
      const path = join(fleet.home(index), 'machines', `m${index}`, 'roster.json');
      if (!existsSync(path)) return false;
      const { voters } = (JSON.parse(readFileSync(path, 'utf8')) as RosterContent).voters;
      return voters.length === count && voters.every(({ leased }) => leased);
    });
    return isArmed || null;
  });

async function writersTo(
  t: TestContext,
  fleet: JoinedFleet,
  { name, endpoints }: DatabaseStatus,
  machine: string,
  from: Host,
): Promise<NetWriters> {
  const { host, port } = endpoints.find((one) => one.machine === machine)!;
  const { password } = await fleet.ask<PasswordDocument>('db', 'password', name);
  const writers = await NetWriters.start(from, { host, port, password, writers: 4, pauseMs: 10 });
  t.after(() => writers.close());
  return writers;
}

const show = (fleet: JoinedFleet, name: string): Promise<DatabaseStatus> =>
  fleet.ask<DatabaseStatus>('db', 'show', name);

const untilReady = (fleet: JoinedFleet, name: string): Promise<DatabaseStatus> =>
  until(`${name} is ready`, async () => {
    const status = await show(fleet, name);
    return status.state === 'ready' ? status : null;
  });

it('two machines and a witness: the place of the one that is cut off is taken', { skip }, async (t) => {
  const { fleet } = await sceneOf(t, 3, true);
  const shape = ['--shards', '1', '--replicas', '1', '--memory', '48mb', '--persistence', 'none'];
  const created = await fleet.ask<DatabaseStatus>('db', 'create', 'main', ...shape);
  const { primary, replicas } = created.shards[0]!;
  const [lost, stays] = [primary!.machine, replicas[0]!.machine];
  assert.ok(!created.conditions.some(({ code }) => code === 'no_takeover'));
  const writers = await writersTo(t, fleet, created, stays, fleet.client);
  await untilArmed(fleet, 3);
  await writers.mark();
  const where = fleet.hosts[Number(lost.slice(1))]!;
  await cut(where);
  const failover = await until('it was taken over', async () => {
    const { failovers } = await fleet.ask<{ failovers: FailoverRecord[] }>('db', 'failovers', 'main');
    return failovers.find(({ cause }) => cause === 'machine_lost') ?? null;
  });
  assert.deepEqual([failover.node, failover.chosen, failover.by], [primary!.nodeId, replicas[0]!.nodeId, stays]);
  await mend(where);
  // The last look may be one of before the cut, which hangs on the machine that was cut off.
  const after = await until('it is ready, with the one that took over', async () => {
    const status = await untilReady(fleet, 'main');
    return status.shards[0]!.primary!.nodeId === replicas[0]!.nodeId ? status : null;
  });
  assert.equal(after.shards[0]!.replicas[0]!.nodeId, primary!.nodeId);
  const { errors, longestWaitMs } = await writers.mark();
  for (const message of Object.keys(errors)) assert.match(message, /^UNKNOWNOUTCOME/);
  assert.equal((await writers.verify()).lost, 0);
  t.diagnostic(`the longest write waited ${Math.round(longestWaitMs)} ms`);
});

it('a client that is cut off together with its primary is told nothing for long, and with acknowledgements nothing wrong', {
  skip,
}, async (t) => {
  const { fleet } = await sceneOf(t, 3, false);
  const create = (name: string, ...more: string[]): Promise<DatabaseStatus> =>
    fleet.ask(
      'db',
      'create',
      name,
      '--shards',
      '1',
      '--replicas',
      '1',
      '--memory',
      '48mb',
      '--persistence',
      'none',
      ...more,
    );
  const databases = [await create('sure', '--durability', 'acknowledged'), await create('quick')];
  const { machine } = databases[0]!.shards[0]!.primary!;
  const { id, primary, replicas } = databases[1]!.shards[0]!;
  if (primary!.machine !== machine) {
    assert.equal(replicas[0]!.machine, machine, 'both have a copy there');
    await fleet.ask('shard', 'switchover', 'quick', id, '--to', machine);
  }
  const where = fleet.hosts[Number(machine.slice(1))]!;
  const old = await Promise.all(databases.map(async ({ name }) => (await show(fleet, name)).shards[0]!.primary!));
  assert.deepEqual(
    old.map((node) => node.machine),
    [machine, machine],
  );
  const [sure, quick] = await Promise.all(databases.map((database) => writersTo(t, fleet, database, machine, where)));
  await untilArmed(fleet, 3);
  let acknowledged = 0;
  await until('enough is acknowledged to be lost', async () => {
    acknowledged += (await sure!.mark()).acknowledged;
    return acknowledged > ENOUGH || null;
  });
  await quick!.mark();
  await cut(where);
  await pause(ISOLATED_MS);
  const [, early] = await Promise.all([sure!.mark(), quick!.mark()]);
  await pause(ISOLATED_MS);
  const late = await Promise.all([sure!.mark(), quick!.mark()]);
  assert.deepEqual(
    late.map(({ acknowledged }) => acknowledged),
    [0, 0],
    'later than that nothing is acknowledged',
  );
  await mend(where);
  for (const [index, { name }] of databases.entries()) {
    const { primary: now, replicas: copies } = (await untilReady(fleet, name)).shards[0]!;
    assert.notEqual(now!.nodeId, old[index]!.nodeId);
    assert.equal(copies[0]!.nodeId, old[index]!.nodeId, 'what was primary is a replica');
  }
  const [kept, tail] = [await sure!.verify(), await quick!.verify()];
  assert.ok(kept.checked > ENOUGH);
  assert.equal(kept.lost, 0, 'with acknowledgements nothing that was acknowledged');
  assert.ok(
    tail.lost <= early!.acknowledged,
    `${tail.lost} were lost, ${early!.acknowledged} acknowledged after the cut`,
  );
  t.diagnostic(`without acknowledgements ${tail.lost} writes were lost, of ${tail.checked}`);
});

it('without any agent writes go on, and agents that come back change nothing', { skip }, async (t) => {
  const { fleet, agents } = await sceneOf(t, 3, false);
  const shape = ['--shards', '3', '--replicas', '1', '--memory', '48mb', '--persistence', 'none'];
  const created = await fleet.ask<DatabaseStatus>('db', 'create', 'main', ...shape);
  const writers = await writersTo(t, fleet, created, 'm1', fleet.client);
  await untilArmed(fleet, 3);
  for (const agent of agents) agent.kill('SIGKILL');
  await pause(WITHOUT_AGENTS_MS);
  const alone = await writers.mark();
  assert.deepEqual(alone.errors, {});
  assert.ok(alone.acknowledged > 100 && alone.longestWaitMs < WITHOUT_AGENTS_MS / 2);
  for (const index of [1, 2, 3]) fleet.agent(index);
  for (const index of [1, 2, 3]) await fleet.machine(`m${index}`, ({ connected }) => connected);
  const { shards } = await untilReady(fleet, 'main');
  assert.deepEqual(
    shards.map(({ primary }) => [primary!.nodeId, primary!.pid]),
    created.shards.map(({ primary }) => [primary!.nodeId, primary!.pid]),
  );
  const { errors, acknowledged } = await writers.mark();
  assert.deepEqual(errors, {});
  assert.ok(acknowledged > 0);
  assert.equal((await writers.verify()).lost, 0);
});
