import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import type { PlayDocument } from '../../src/demo/play.ts';
import { testEngine } from '../support/engine.ts';
import { assertNothingLeft } from '../support/leaks.ts';

/** The control plane sees a machine away a little before the demo does. */
const POLL_SLACK_MS = 3_000;
const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');

interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the demo; `onStderr` sees what it has written so far, and may end it. */
async function demo(test: TestContext, onStderr: (stderr: string, interrupt: () => void) => void): Promise<Run> {
  const { serverPath } = await testEngine();
  const child = spawn(LAUNCHER, ['demo', '--json'], {
    env: { ...process.env, VALKEEPER_ENGINE: serverPath, VALKEEPER_HOME: '/nonexistent/not-used-by-the-demo' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  test.after(() => child.kill('SIGTERM')); // it removes its fleet then
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    onStderr(stderr, () => child.kill('SIGINT'));
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Directory and addresses of the fleet, as the prose names them. */
function placeOf(stderr: string): { dir: string; addresses: string[] } {
  const dir = /^Data +(\/\S+)$/m.exec(stderr)?.[1];
  assert.ok(dir, stderr);
  const addresses = [...new Set([...stderr.matchAll(/ (127\.\d+\.\d+\.\d+):\d+ /g)].map((match) => match[1]!))];
  return { dir, addresses };
}

function figuresOf(document: PlayDocument, id: string): Record<string, unknown> {
  const act = document.acts.find((one) => one.id === id);
  assert.ok(act, `the act ${id} was played`);
  return act.figures;
}

it('plays every act, and each claim holds', async (test) => {
  const { code, stdout, stderr } = await demo(test, () => {});
  assert.equal(code, 0, stdout + stderr);
  const document = JSON.parse(stdout) as PlayDocument;
  assert.equal(document.held, true);
  assert.deepEqual(
    document.acts.map(({ id, held }) => [id, held]),
    [
      ['spread', true],
      ['read-copies', true],
      ['lose-primary', true],
      ['one-address', true],
      ['reshard', true],
      ['restore-backup', true],
      ['lose-machine', true],
    ],
  );

  const spread = figuresOf(document, 'spread') as { keys: number; shards: { keys: number }[]; writesPerSecond: number };
  assert.equal(spread.shards.length, 4);
  assert.equal(
    spread.shards.reduce((sum, { keys }) => sum + keys, 0),
    spread.keys,
  );
  assert.ok(spread.writesPerSecond > 0);

  const read = figuresOf(document, 'read-copies') as Record<'primaries' | 'replicas', Record<string, number>>;
  const { keys } = spread;
  for (const from of ['primaries', 'replicas'] as const) {
    const { found, wrong, servedByPrimaries, servedByReplicas } = read[from];
    const served = from === 'primaries' ? [keys, 0] : [0, keys];
    assert.deepEqual([found, wrong, servedByPrimaries, servedByReplicas], [keys, 0, ...served]);
  }
  assert.equal((read as Record<string, unknown>)['differences'], 0);

  const loss = figuresOf(document, 'lose-primary') as Record<string, number>;
  assert.equal(loss['acknowledgedWritesLost'], 0);
  assert.equal(loss['valuesChecked'], keys + loss['acknowledgedWrites']!);
  assert.ok(loss['acknowledgedBeforeKill']! < loss['acknowledgedWrites']!, 'writes went on after the kill');
  assert.ok(loss['waitMs']! > 0 && loss['waitMs']! < loss['replicaBackMs']!);

  const plain = figuresOf(document, 'one-address') as Record<string, number> & { keysOfShards: number[] };
  assert.equal(plain.keysOfShards.length, 4);
  assert.deepEqual([plain['connectionsLost'], plain['acknowledgedWritesLost']], [0, 0]);
  assert.equal(plain['errors'], plain['unknownOutcomes']);
  assert.ok(plain['acknowledgedBeforeKill']! < plain['acknowledgedWrites']!, 'writes went on after the kill');
  assert.ok(plain['waitMs']! > 0 && plain['waitMs']! < plain['replicaBackMs']!);

  const moved = figuresOf(document, 'reshard') as { changes: { from: number; to: number }[] } & Record<string, number>;
  assert.deepEqual(
    moved.changes.map(({ from, to }) => [from, to]),
    [
      [4, 6],
      [6, 4],
    ],
  );
  assert.deepEqual([moved['errors'], moved['acknowledgedWritesLost']], [0, 0]);
  assert.ok(moved['acknowledgedWrites']! > 100);

  const saved = figuresOf(document, 'restore-backup') as Record<string, number>;
  assert.deepEqual([saved['shardsBefore'], saved['shardsAfter']], [4, 3]);
  assert.deepEqual([saved['errors'], saved['keysMissing'], saved['keysUnlike']], [0, 0, 0]);
  assert.ok(saved['keysExpected']! > keys && saved['keysRestored']! >= saved['keysExpected']!);
  assert.ok(saved['storedBytes']! > 0 && saved['storedBytes']! < saved['rawBytes']!);

  const machine = figuresOf(document, 'lose-machine') as Record<string, number> & {
    machine: string;
    machinesAfter: string[];
  };
  assert.equal(machine.machinesAfter.length, 3);
  assert.ok(!machine.machinesAfter.includes(machine.machine));
  assert.deepEqual([machine['connectionsLost'], machine['oldNodesLeft']], [0, 0]);
  assert.equal(machine['oldNodesOnReturn'], machine['copies']);
  assert.equal(machine['errors'], machine['unknownOutcomes']! + machine['refusedAsNotDone']!);
  assert.equal(machine['acknowledgedWritesLost'], machine['unpromisedWritesLost']);
  assert.equal(machine['valuesChecked'], keys + machine['acknowledgedWrites']!);
  assert.ok(machine['acknowledgedBeforeLoss']! < machine['acknowledgedWrites']!, 'writes went on after the loss');
  assert.ok(machine['waitMs']! > 0 && machine['waitMs']! < machine['wholeMs']!);
  assert.ok(machine['wholeMs']! > machine['awayMs']! + machine['replaceAfterSeconds']! * 1000 - POLL_SLACK_MS);

  test.diagnostic(`a machine lost: next write after ${machine['waitMs']} ms, whole after ${machine['wholeMs']} ms`);
  test.diagnostic(`a backup after ${saved['backupMs']} ms, restored after ${saved['restoreMs']} ms`);
  test.diagnostic(`one address: next write after ${plain['waitMs']} ms, ${plain['errors']} unknown outcomes`);
  test.diagnostic(`next write after ${loss['waitMs']} ms, replica back after ${loss['replicaBackMs']} ms`);
  const { dir, addresses } = placeOf(stderr);
  assert.equal(addresses.length, 4);
  for (const address of addresses) await assertNothingLeft(dir, address);
});

it('leaves nothing behind when it is interrupted under writes', async (test) => {
  let interrupted = false;
  const { code, stdout, stderr } = await demo(test, (sofar, interrupt) => {
    if (interrupted || !sofar.includes('writers set new keys')) return;
    interrupted = true;
    interrupt();
  });
  assert.equal(code, 6, stdout + stderr);
  assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'interrupted');
  const { dir, addresses } = placeOf(stderr);
  assert.equal(addresses.length, 4);
  for (const address of addresses) await assertNothingLeft(dir, address);
});
