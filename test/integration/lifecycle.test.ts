import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { testEngine } from '../support/engine.ts';
import { Fleet, isSettled, nodesOf, withFleet } from '../support/fleet.ts';
import { processesUnder } from '../support/leaks.ts';

const KEYS = 2_000;

async function fill(fleet: Fleet, name: string): Promise<void> {
  const client = await fleet.client(name);
  await Promise.all(Array.from({ length: KEYS }, (_, key) => client.set(`key:${key}`, `value ${key}`)));
  client.disconnect();
}

async function assertComplete(fleet: Fleet, name: string): Promise<void> {
  const client = await fleet.client(name);
  try {
    const values = await Promise.all(Array.from({ length: KEYS }, (_, key) => client.get(`key:${key}`)));
    assert.deepEqual(
      values.flatMap((value, key) => (value === `value ${key}` ? [] : [key])),
      [],
      `keys of ${name} are missing`,
    );
  } finally {
    client.disconnect();
  }
}

const pidsOf = (status: DatabaseStatus): Map<string, number | null> =>
  new Map(nodesOf(status).map(({ nodeId, pid }) => [nodeId, pid]));

/** Valkeeper's own processes: the server and the agents, not the nodes. */
const ownProcesses = (fleet: Fleet) =>
  processesUnder(fleet.dir).filter(({ command }) => !command.includes('valkey-server'));

it('keeps every key through down and up, refuses to lose what is only in memory, and says what runs', async () => {
  await withFleet({}, async (fleet) => {
    const args = ['--persistence', 'snapshot', '--memory', '64mb', '--shards', '1'];
    assert.equal((await fleet.cli('db', 'create', 'snap', ...args)).code, 0);
    for (const name of ['main', 'snap']) await fill(fleet, name);
    const again = await fleet.cli('up', '--json');
    assert.equal(again.code, 0, again.stderr);

    assert.equal((await fleet.cli('down')).code, 0);
    assert.deepEqual(processesUnder(fleet.dir), []);
    assert.equal((await fleet.cli('down')).code, 0, 'down of what is down is no error');
    const status = await fleet.cli('status', '--json');
    assert.deepEqual([status.code, status.json<{ error: { code: string } }>().error.code], [6, 'not_running']);

    await fleet.up();
    for (const name of ['main', 'snap']) await assertComplete(fleet, name);

    const volatile = ['--persistence', 'none', '--memory', '32mb', '--shards', '1', '--replicas', '0'];
    assert.equal((await fleet.cli('db', 'create', 'volatile', ...volatile)).code, 0);
    const refused = await fleet.cli('down', '--json');
    assert.equal(refused.code, 5, refused.stdout);
    assert.match(refused.stdout, /volatile/);
    assert.equal((await fleet.show('volatile')).state, 'ready', 'a refused down changes nothing');
  });
});

it('promotes the copy that came up first, also of a primary that was stopped as asked', async () => {
  await withFleet({}, async (fleet) => {
    const args = ['--persistence', 'snapshot', '--memory', '64mb', '--shards', '1'];
    assert.equal((await fleet.cli('db', 'create', 'snap', ...args)).code, 0);
    await fill(fleet, 'snap');
    const { nodeId } = (await fleet.until('snap', isSettled)).shards[0]!.replicas[0]!;
    assert.equal((await fleet.cli('down')).code, 0);
    await startStray(nodeDirectories(fleet).find((directory) => directory.endsWith(nodeId))!);
    await fleet.up();
    assert.equal((await fleet.until('snap', isSettled)).shards[0]!.primary!.nodeId, nodeId);
    await assertComplete(fleet, 'snap');
  });
});

it('goes on serving when its own processes are killed, and adopts the nodes as they are', async () => {
  await withFleet({}, async (fleet) => {
    await fill(fleet, 'main');
    const before = pidsOf(await fleet.until('main', isSettled));
    const client = await fleet.client('main');
    for (const { pid } of ownProcesses(fleet)) process.kill(pid, 'SIGKILL');
    await client.set('after', 'the kill');
    assert.equal(await client.get('after'), 'the kill');
    client.disconnect();

    await fleet.up();
    assert.deepEqual(pidsOf(await fleet.until('main', isSettled)), before, 'nodes were restarted');
    await assertComplete(fleet, 'main');

    // An agent that dies alone is started again and finds its nodes.
    const agent = ownProcesses(fleet).find(({ command }) => command.includes('machine-2'))!;
    process.kill(agent.pid, 'SIGKILL');
    await fleet.until('main', isSettled);
    assert.deepEqual(pidsOf(await fleet.until('main', isSettled)), before);
    // A node that dies while no agent watches is noticed by the next one.
    const status = await fleet.show();
    const victim = status.shards[0]!.primary!;
    for (const { pid } of ownProcesses(fleet)) process.kill(pid, 'SIGKILL');
    process.kill(victim.pid!, 'SIGKILL');
    await fleet.up();
    const healed = await fleet.until('main', isSettled);
    assert.notEqual(healed.shards[0]!.primary!.pid, victim.pid);
    await assertComplete(fleet, 'main');
  });
});

it('comes back with every key in whatever order processes come up, some of them started by somebody else', async () => {
  await withFleet({}, async (fleet) => {
    await fill(fleet, 'main');
    for (const early of [1, 3, 5]) {
      await fleet.until('main', isSettled);
      await pause(1_100); // AOF is flushed every second
      for (const { pid } of processesUnder(fleet.dir)) process.kill(pid, 'SIGKILL');
      for (const directory of nodeDirectories(fleet).slice(0, early)) {
        await startStray(directory);
      }
      await fleet.up();
      await fleet.until('main', isSettled);
      await assertComplete(fleet, 'main');
    }
  });
});

/** A node that nobody supervises. */
async function startStray(directory: string): Promise<void> {
  const { serverPath } = await testEngine();
  const options = { cwd: directory, detached: true, stdio: 'ignore' } as const;
  spawn(serverPath, [join(directory, 'valkey.conf')], options).unref();
  await pause(100);
}

const nodeDirectories = (fleet: Fleet): string[] =>
  readdirSync(join(fleet.dir, 'machines'))
    .sort()
    .reverse() // replicas' machines first in one round, primaries' in another: roles have moved by then
    .flatMap((machine) => {
      const nodes = join(fleet.dir, 'machines', machine, 'nodes');
      return readdirSync(nodes).map((id) => realpathSync(join(nodes, id)));
    });

it('stops cleanly at Ctrl-C in the foreground', async () => {
  const fleet = await Fleet.prepare();
  try {
    const place = ['--address-base', fleet.address, '--api-port', String(fleet.apiPort)];
    const up = fleet.spawn('up', '--foreground', ...place);
    const ended = once(up, 'exit');
    let output = '';
    up.stdout!.on('data', (chunk) => {
      output += chunk;
    });
    const deadline = performance.now() + 60_000;
    while (!output.includes('ready')) {
      assert.ok(performance.now() < deadline && up.exitCode === null, `not ready: ${output}`);
      await pause(50);
    }
    await fill(fleet, 'main');
    up.kill('SIGINT');
    assert.deepEqual((await ended)[0], 0);
    assert.deepEqual(processesUnder(fleet.dir), []);
    await fleet.up();
    await assertComplete(fleet, 'main');
    await fleet.stop();
  } finally {
    await fleet.abandon();
  }
});
