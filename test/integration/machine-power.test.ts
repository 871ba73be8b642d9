/** The act in which a machine is lost ends in the middle: nothing stands still, and nothing is left. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { it } from 'node:test';
import { isDeepStrictEqual, promisify } from 'node:util';
import { Cli, type Host } from '../../src/cli/cli.ts';
import { loseMachine } from '../../src/demo/acts/lose-machine.ts';
import { until } from '../../src/demo/wait.ts';
import { ValkeeperError } from '../../src/domain/errors.ts';
import { endpointOf } from '../../src/main/data-dir.ts';
import { createDemoDatabase, removeByForce, startDemoFleet, stopAndRemove } from '../../src/main/demo-fleet.ts';
import { sceneOf } from '../../src/main/demo-scene.ts';
import { recordedAgent } from '../../src/main/local-fleet.ts';
import { Signals } from '../../src/main/signals.ts';
import { testEngine } from '../support/engine.ts';
import { assertNothingLeft, processesUnder } from '../support/leaks.ts';

const POWER = join(import.meta.dirname, '..', '..', 'src', 'main', 'machine-power.ts');
const run = promisify(execFile);
const silent = new PassThrough() as unknown as NodeJS.WriteStream;
const host = {
  ...{ stdin: process.stdin, stdout: silent, stderr: silent, version: '0.0.0', defaultDataDir: '/nonexistent' },
  endpoint: endpointOf,
} as unknown as Host;

function isStopped({ pid }: { pid: number }): boolean {
  try {
    return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // it has ended meanwhile
  }
}

it('does not leave a machine in the dark, interrupted or ended', async (test) => {
  process.env['VALKEEPER_ENGINE'] = (await testEngine()).serverPath;
  const cli = new Cli(host, { dataDir: mkdtempSync(join(realpathSync(tmpdir()), 'valkeeper-test-')) });
  test.after(() => removeByForce(cli.dataDir)); // finds processes by the folder: it must be the first to remove it
  const signals = new Signals();
  test.after(() => signals.release());
  await startDemoFleet(cli, 4, signals);
  const stop = new AbortController();
  const interrupted = new ValkeeperError('interrupted', { outcome: 'As the test wanted.' });
  const { shards } = await createDemoDatabase(cli, 'dark', { shards: 4, memoryBytes: 64 * 1024 ** 2 }, stop.signal);
  const addresses = new Set(shards.flatMap(({ primary, replicas }) => [primary!, ...replicas]).map(({ host }) => host));
  assert.equal(addresses.size, 4);
  const { password } = await cli.client.password('dark');

  const agent = recordedAgent(cli.dataDir, 'machine-2')!;
  const cut = `new MachinePower(${JSON.stringify(cli.dataDir)}).cut('machine-2')`;
  await run(process.execPath, ['--input-type=module', '--eval', `import { MachinePower } from '${POWER}'; ${cut};`]);
  await until(
    async () => recordedAgent(cli.dataDir, 'machine-2'),
    (now) => (now && !isDeepStrictEqual(now, agent) ? null : 'its agent is the old one, or none runs'),
    { what: 'the machine back after whoever cut its power ended', timeoutMs: 10_000, signal: stop.signal },
  );

  const stopped = (): number => processesUnder(cli.dataDir).filter(isStopped).length;
  let seen: Promise<number> | null = null;
  const scene = sceneOf(cli, 'dark', {
    ...{ password, signal: stop.signal },
    say: (text) => {
      if (!text.includes('loses its power')) return;
      const what = 'an agent, an endpoint and two nodes to stand still';
      const deadline = { what, timeoutMs: 5_000, signal: AbortSignal.timeout(10_000) };
      // A process of several threads stands still a moment after the signal.
      seen = until(
        async () => stopped(),
        (count) => (count === 4 ? null : `${count} do`),
        deadline,
      ).finally(() => stop.abort(interrupted));
    },
    phase: () => {},
  });
  await assert.rejects(loseMachine.play(scene), interrupted);
  assert.equal(await seen, 4);
  await until(
    async () => stopped(),
    (count) => (count === 0 ? null : `${count} still stand still`),
    {
      ...{ what: 'the power to be back', timeoutMs: 2_000, signal: AbortSignal.timeout(10_000) },
    },
  );
  await stopAndRemove(cli);
  for (const address of addresses) await assertNothingLeft(cli.dataDir, address);
});
