/** The fleet of a demo: in a directory and on loopback addresses of its own, made to be thrown away. */
import { readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Cli } from '../cli/cli.ts';
import { missingToReady, waitUntil } from '../cli/wait.ts';
import type { DatabaseSpec } from '../domain/spec.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import { stopRunning } from './down.ts';
import { changeFleet, planMachines } from './fleet-file.ts';
import { prepareDataDir } from './prepare.ts';
import { processesIn } from './processes.ts';
import type { Signals } from './signals.ts';
import { startUnlessRunning } from './up.ts';

/** Longest time until the machines are there, and until the database is ready, in milliseconds. */
const READY_MS = 60_000;
/** What ends by force is looked at so often, with so many milliseconds between. */
const SWEEPS = 300;
const SWEEP_MS = 10;

/** Starts the machines in an empty directory; no database. @throws what `up` throws */
export async function startDemoFleet(cli: Cli, machines: number, signals: Signals): Promise<void> {
  prepareDataDir(cli.dataDir);
  await changeFleet(cli.dataDir, { machines: planMachines(machines, ownAddressBase()), createdMain: true });
  await startUnlessRunning(cli, { auth: true, apiPort: await freePort(), timeoutMs: READY_MS }, signals);
}

/** Creates a database and waits until it is ready. @throws not_in_time, the signal's reason, what the API answers */
export async function createDemoDatabase(
  cli: Cli,
  name: string,
  spec: Partial<DatabaseSpec>,
  signal: AbortSignal,
): Promise<DatabaseStatus> {
  await cli.client.create({ name, spec });
  const progress = cli.progress();
  return waitUntil({
    poll: () => {
      signal.throwIfAborted();
      return cli.client.database(name);
    },
    missing: missingToReady,
    timeoutMs: READY_MS,
    progress,
    what: `${name} was not ready`,
    command: `valkeeper db show ${name} --data-dir ${cli.dataDir}`,
  }).finally(() => progress.end());
}

/** Stops everything in order, or else by force, and removes the directory. */
export async function stopAndRemove(cli: Cli): Promise<void> {
  if (processesIn(cli.dataDir).length > 0) {
    await stopRunning(cli, true).catch((error: Error) => cli.note(`${error.message} It is ended by force.`));
  }
  removeByForce(cli.dataDir);
}

/** Kills what runs in the directory, until nothing does, and removes it. Waits in place: it also runs while we exit. */
export function removeByForce(dataDir: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const left = processesIn(dataDir);
    if (left.length === 0) break;
    for (const { pid } of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    }
    Atomics.wait(pause, 0, 0, SWEEP_MS);
  }
  rmSync(dataDir, { recursive: true, force: true });
}

/** kill -9, if the process works in the directory. @throws RangeError when it does not */
export function killIn(dataDir: string, pid: number | null): void {
  if (pid === null || !readlinkSync(`/proc/${pid}/cwd`).startsWith(`${dataDir}/`)) {
    throw new RangeError(`the process ${pid} is none of ${dataDir}`);
  }
  process.kill(pid, 'SIGKILL');
}

/** Loopback addresses that go with our process number: two demos do not meet, nor does one meet 127.0.0.x. */
const ownAddressBase = (): string => `127.${128 + ((process.pid >> 8) & 63)}.${process.pid & 255}.11`;

/** A port of the API that nobody has now, nor is the usual one that a fleet of the user's will want. */
async function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer().once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
  });
  return promise;
}
