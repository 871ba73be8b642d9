/** Starting and stopping in each other's way: what is dead already, what starts twice, what is interrupted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isRunning } from '../../src/platform/process-identity.ts';
import { Fleet, isSettled, nodesOf, withFleet } from '../support/fleet.ts';
import { processesUnder } from '../support/leaks.ts';

const pidsOf = (fleet: Fleet): number[] => processesUnder(fleet.dir).map(({ pid }) => pid);

const nodePids = async (fleet: Fleet): Promise<(number | null)[]> => nodesOf(await fleet.show()).map(({ pid }) => pid);

test('a killed agent is started again, and its nodes go on', () =>
  withFleet({}, async (fleet) => {
    await fleet.until('main', isSettled);
    const before = await nodePids(fleet);
    const agent = join(fleet.dir, 'machines', 'machine-2', 'agent.json');
    const { pid } = JSON.parse(readFileSync(agent, 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    for (;;) {
      await pause(20);
      const now = JSON.parse(readFileSync(agent, 'utf8')) as { pid: number; startTime: number };
      if (now.pid !== pid && isRunning(now)) break;
    }
    await fleet.until('main', isSettled);
    assert.deepEqual(await nodePids(fleet), before);
  }));

test('down stops nodes although the server and an agent are dead', () =>
  withFleet({}, async (fleet) => {
    for (const { pid, command } of processesUnder(fleet.dir)) {
      if (/ server | agent --machine machine-1/.test(command)) process.kill(pid, 'SIGKILL');
    }
    const { code, stderr } = await fleet.cli('down');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /The server is gone/);
    assert.deepEqual(pidsOf(fleet), []);
  }));

test('of two starts at once one starts and the other waits for it', async () => {
  const fleet = await Fleet.prepare({ machines: 1 });
  try {
    const both = await Promise.all([fleet.up('--json'), fleet.up('--json')]);
    const started = both.map((result) => result.json<{ started: boolean }>().started);
    assert.deepEqual(started.sort(), [false, true]);
    for (const file of [
      'token',
      'agent-token',
      'fleet.json',
      'up.lock',
      'control/valkeeper.db',
      'control/server.log',
    ]) {
      assert.equal(statSync(join(fleet.dir, file)).mode & 0o077, 0, `${file} is its owner's alone`);
    }
    await fleet.stop();
  } finally {
    await fleet.abandon();
  }
});

test('an interrupted start is undone', async () => {
  const fleet = await Fleet.prepare();
  try {
    const up = fleet.spawn('up', '--json', '--address-base', fleet.address, '--api-port', String(fleet.apiPort));
    const output: string[] = [];
    up.stdout!.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    while (pidsOf(fleet).length < 3) await pause(5);
    up.kill('SIGINT');
    const [code] = (await once(up, 'close')) as [number];
    assert.deepEqual([code, JSON.parse(output.join('')).error.code], [6, 'interrupted']);
    assert.deepEqual(pidsOf(fleet), []);
    await fleet.up();
    await fleet.stop();
  } finally {
    await fleet.abandon();
  }
});

test('main is made once: deleted, it stays deleted', () =>
  withFleet({ machines: 1 }, async (fleet) => {
    await fleet.cli('db', 'delete', 'main', '--yes');
    await fleet.cli('down');
    const again = (await fleet.up('--json')).json<{ databases: unknown[] }>();
    assert.deepEqual(again.databases, []);
  }));
