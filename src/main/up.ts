/** `up`: engine, server, machines, first database, in this order; what runs already is left as it is. */
import { join } from 'node:path';
import type { Cli } from '../cli/cli.ts';
import type { UpOptions } from '../cli/process-options.ts';
import type { Progress } from '../cli/progress.ts';
import { missingToReady, waitUntil } from '../cli/wait.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { takeFileLock } from '../platform/file-lock.ts';
import { identify, isRunning } from '../platform/process-identity.ts';
import type { MachineList } from '../protocol/api.ts';
import { pathsIn, runningServer } from './data-dir.ts';
import { stopRunning } from './down.ts';
import { engineForUp } from './engine.ts';
import {
  changeFleet,
  DEFAULT_ADDRESS_BASE,
  DEFAULT_MACHINES,
  type FleetFile,
  type LocalMachine,
  planMachines,
  readFleet,
} from './fleet-file.ts';
import { prepareDataDir } from './prepare.ts';
import { processesIn, waitForExit } from './processes.ts';
import { printRunning } from './report.ts';
import { printedError, startServer } from './server-process.ts';
import { Signals } from './signals.ts';

/** A server that is stopping gets this long before `up` gives up on it. */
const STOPPING_MS = 120_000;
const WATCH_MS = 500;

/** @throws what any part throws; interrupted after Ctrl-C, when what was started has been stopped again */
export async function up(cli: Cli, options: UpOptions): Promise<void> {
  prepareDataDir(cli.dataDir);
  const signals = new Signals();
  try {
    const started = await startUnlessRunning(cli, options, signals);
    await printRunning(cli, started);
    if (started && options.foreground) await stayAttached(cli, signals);
  } finally {
    signals.release();
  }
}

/**
 * One at a time in a directory: the second waits and finds everything running.
 * @returns whether it was started
 * @throws as `up`
 */
export async function startUnlessRunning(cli: Cli, options: UpOptions, signals: Signals): Promise<boolean> {
  const interrupt = new AbortController();
  signals.handle(() => interrupt.abort(new ValkeeperError('interrupted', { outcome: 'Nothing was started.' })));
  const progress = cli.progress();
  const onWait = (): void => progress.phase('another `up` is starting this directory: waiting for it');
  const release = await takeFileLock(pathsIn(cli.dataDir).upLock, onWait, interrupt.signal);
  try {
    const fleet = await chooseMachines(cli.dataDir, options);
    const server = runningServer(cli.dataDir);
    if (server && !(await cli.client.status()).stopping) return false;
    if (server) await waitForExit([server], STOPPING_MS);
    await start(cli, fleet, options, progress, interrupt.signal);
    return true;
  } finally {
    release();
    progress.end();
    signals.hold();
  }
}

async function start(
  cli: Cli,
  fleet: FleetFile,
  options: UpOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  if (!options.auth && fleet.createdMain) cli.note('--no-auth changes nothing: the first start has made `main`.');
  await engineForUp(progress);
  signal.throwIfAborted();
  const ranBefore = processesIn(cli.dataDir).length;
  progress.phase('starting the server');
  const child = await startServer(cli.dataDir, options.apiPort);
  const server = identify(child.pid!);
  try {
    await awaitMachines(cli, fleet.machines, options.timeoutMs, progress, signal);
    if (!fleet.createdMain) await createMain(cli, fleet, options.auth);
    await awaitDatabases(cli, options.timeoutMs, progress, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    if (ranBefore > 0) throw new ValkeeperError('interrupted', { outcome: 'What ran before goes on.' });
    progress.phase('interrupted: stopping what was started');
    const processes = processesIn(cli.dataDir);
    if (server && isRunning(server)) process.kill(server.pid, 'SIGTERM');
    await waitForExit(processes, STOPPING_MS);
    throw new ValkeeperError('interrupted', { outcome: 'What was started has been stopped.' });
  }
}

/** The fleet of the directory; of a new one, as asked for. @throws fleet_exists when it has other machines, invalid_value */
async function chooseMachines(dataDir: string, { machines, addressBase }: UpOptions): Promise<FleetFile> {
  const fleet = await readFleet(dataDir);
  if (!fleet) {
    return changeFleet(dataDir, {
      machines: planMachines(machines ?? DEFAULT_MACHINES, addressBase ?? DEFAULT_ADDRESS_BASE),
    });
  }
  const count = fleet.machines.length;
  const base = fleet.machines[0]?.address;
  if ((machines ?? count) !== count || (addressBase ?? base) !== base) {
    throw new ValkeeperError('fleet_exists', { dir: dataDir, machines: `${count} from ${base} on` });
  }
  return fleet;
}

function awaitMachines(
  cli: Cli,
  machines: readonly LocalMachine[],
  timeoutMs: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<MachineList> {
  return waitUntil({
    poll: () => {
      signal.throwIfAborted();
      return cli.client.machines();
    },
    missing: ({ machines: known }) => {
      const connected = new Set(known.filter((machine) => machine.connected).map(({ name }) => name));
      const away = machines
        .filter(({ name }) => !connected.has(name))
        .map(({ name }) => agentTrouble(cli.dataDir, name));
      return away.length === 0 ? null : `waiting for the agents of ${away.join(', ')}`;
    },
    timeoutMs,
    progress,
    what: 'Not all machines were there',
    command: 'valkeeper machine list',
  });
}

/** The machine's name, and what its agent ended with, if it did. */
function agentTrouble(dataDir: string, machine: string): string {
  const error = printedError(join(pathsIn(dataDir).machine(machine), 'agent.out'));
  return error ? `${machine} (${error.message})` : machine;
}

async function createMain(cli: Cli, { machines }: FleetFile, auth: boolean): Promise<void> {
  try {
    await cli.client.create({ name: 'main', spec: { auth, replicas: Math.min(1, machines.length - 1) } });
  } catch (error) {
    if (!(error instanceof ValkeeperError && error.code === 'database_exists')) throw error;
  }
  await changeFleet(cli.dataDir, { createdMain: true });
}

async function awaitDatabases(cli: Cli, timeoutMs: number, progress: Progress, signal: AbortSignal): Promise<void> {
  await waitUntil({
    poll: () => {
      signal.throwIfAborted();
      return cli.client.databases();
    },
    missing: ({ databases }) => {
      const lacking = databases.filter(({ state }) => state !== 'deleting').map(missingToReady);
      return lacking.find((words) => words !== null) ?? null;
    },
    timeoutMs,
    progress,
    what: 'Not every database was ready',
    command: 'valkeeper db list',
  });
}

/** Until Ctrl-C or SIGTERM, which stop everything, or until the server ends otherwise. @throws not_running */
async function stayAttached(cli: Cli, signals: Signals): Promise<void> {
  let noted = false;
  while (await signalled(cli, signals, noted)) {
    noted = true;
    try {
      // Without a terminal nobody can be asked, and who sent the signal means it.
      await stopRunning(cli, !cli.host.stdin.isTTY);
      cli.note('Everything has stopped; the data is kept.');
      return;
    } catch (error) {
      if (!(error instanceof ValkeeperError && error.code === 'declined')) throw error;
      cli.note('It goes on.');
    }
  }
}

/** True at a signal; false when the server has been stopped by somebody else. @throws not_running when it died */
async function signalled(cli: Cli, signals: Signals, noted: boolean): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  signals.handle(() => resolve(true));
  if (!noted) cli.note('Ctrl-C stops everything.');
  const watch = setInterval(() => {
    if (runningServer(cli.dataDir)) return;
    if (processesIn(cli.dataDir).length === 0) resolve(false);
    else reject(new ValkeeperError('not_running', { dir: cli.dataDir }));
  }, WATCH_MS);
  return promise.finally(() => clearInterval(watch));
}
