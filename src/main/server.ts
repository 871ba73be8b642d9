/** The server process: store, control plane and API, and the agents of the local machines. */
import { open, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { carriesToken } from '../api/bearer.ts';
import { type Api, createApi } from '../api/server.ts';
import type { Cli } from '../cli/cli.ts';
import type { ServerOptions } from '../cli/process-options.ts';
import { serveAgents } from '../control/agents.ts';
import type { ControlPlane } from '../control/control-plane.ts';
import { DEFAULT_LEASE_MS } from '../control/leader.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { writeFileAtomic } from '../platform/files.ts';
import { createLogger } from '../platform/log.ts';
import { identify, type ProcessIdentity } from '../platform/process-identity.ts';
import { pathsIn, readToken, runningServer, type ServerFile } from './data-dir.ts';
import { describe, existingEngine } from './engine.ts';
import { changeFleet, type LocalMachine, readFleet } from './fleet-file.ts';
import { LocalFleet, recordedAgent } from './local-fleet.ts';
import { prepareDataDir } from './prepare.ts';
import { waitForExit } from './processes.ts';
import { seatAlone, seatShared } from './seat.ts';
import { joinFleet } from './shared-fleet.ts';
import { chooseStore } from './store-choice.ts';

/** Of the API, unless it is taken or another is asked for. */
export const DEFAULT_PORT = 7420;
const LAST_PORT = 7439;
const LOOPBACK = '127.0.0.1';
/** Before a shutdown, agents get this long to connect: what is not connected cannot be told to stop. */
const CONNECT_MS = 5_000;
const AGENT_EXIT_MS = 10_000;
/** Enough for the longest answer of `logs`. */
const LOG_TAIL_BYTES = 4 * 1024 ** 2;

/**
 * Runs until a shutdown was asked for, by the API, SIGTERM or SIGINT, and has been carried out. SIGQUIT ends the server
 * alone.
 * @throws already_running, api_port_taken, bad_advertise, and what the engine's search and the store's opening throw
 */
export async function runServer({ dataDir, host: { version } }: Cli, options: ServerOptions): Promise<void> {
  const over = Promise.withResolvers<void>();
  const signalled = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, signalled.resolve);
  process.on('SIGQUIT', () => over.resolve()); // as a service: agents and nodes go on

  prepareDataDir(dataDir);
  const paths = pathsIn(dataDir);
  const other = runningServer(dataDir);
  if (other) throw new ValkeeperError('already_running', { dir: dataDir, pid: other.pid });
  const { log, close: closeLog } = createLogger({ name: 'server', file: paths.serverLog, level: 'info' });
  process.on('uncaughtExceptionMonitor', (error) => log.error({ err: error }, 'the server ends by a defect'));

  const listenHost = options.listen ?? LOOPBACK;
  const advertised = advertisedIn(options);
  const engine = await existingEngine();
  const { store, isShared } = await chooseStore(paths.store, options);
  const planeOptions = {
    ...{ log, clock: systemClock, version, dataDir, engineVersion: engine.version },
    readOwnLog: (lines: number) => lastLines(paths.serverLog, lines),
    credentials: null,
  };
  const fleetOfAll = isShared ? await joinFleet(store, paths) : null;
  const seat = fleetOfAll
    ? seatShared({ ...planeOptions, store, fleet: fleetOfAll.id, leaseMs: options.leaseMs ?? DEFAULT_LEASE_MS })
    : await seatAlone(store, planeOptions);
  const { control } = seat;
  const { machines = [], apiPort: lastPort = null } = (await readFleet(dataDir)) ?? {};
  const fleet = new LocalFleet(dataDir, machines, log);
  const shutDown = isShared ? control.shutDown : shutDownOnce(dataDir, machines, fleet, control);

  const token = readToken(paths.token);
  const api = createApi({
    ...{ control, token, log, shutDown, afterShutDown: over.resolve },
    ...(seat.follower ? { follower: seat.follower } : {}),
  });
  const agentToken = readToken(paths.agentToken);
  serveAgents(
    api.httpServer,
    () => seat.agentHost(),
    ({ headers }) => carriesToken(headers.authorization, agentToken),
  );

  const port = await listen(api, listenHost, options.apiPort, lastPort);
  const url = `http://${isEverywhere(listenHost) ? LOOPBACK : listenHost}:${port}`;
  if (lastPort !== null && port !== lastPort) await detachAgents(dataDir, machines);
  await changeFleet(dataDir, { apiPort: port, ...(options.listen ? { servers: [url] } : {}) });
  seat.begin(advertised ?? url);
  fleet.keep();
  const server: ServerFile = { ...identify(process.pid)!, url, engine: describe(engine) };
  await writeFileAtomic(paths.server, `${JSON.stringify(server)}\n`);
  log.info({ ...server, version, advertised, isShared }, 'the server listens');
  signalled.promise
    // Where several servers lead in turn, the end of one is no end of the fleet.
    .then(() => (isShared ? undefined : shutDown({ loseUnsavedData: true })))
    .then(over.resolve, over.reject);

  await over.promise.finally(async () => {
    fleet.release();
    await rm(paths.server, { force: true });
    await seat.close();
    await api.close();
    await store.close();
    log.info('the server ends');
    closeLog();
  });
}

/** Addresses that mean all of the host's. */
const isEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** @throws bad_advertise */
function advertisedIn({ advertise, listen, store }: ServerOptions): string | null {
  if (advertise === undefined) {
    if (store === undefined || listen === undefined || !isEverywhere(listen)) return null;
    throw new ValkeeperError('bad_advertise', { url: '', problem: `is needed: nobody can reach ${listen}` });
  }
  const url = URL.parse(advertise);
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && !url.search && !url.username) {
    return url.origin;
  }
  throw new ValkeeperError('bad_advertise', { url: advertise, problem: 'is not the URL of an API' });
}

/**
 * Tries the port asked for; without a wish the last one, then the free ones from the default on.
 * @throws api_port_taken
 */
async function listen(api: Api, host: string, wanted: number | undefined, last: number | null): Promise<number> {
  const fallback = Array.from({ length: LAST_PORT - DEFAULT_PORT + 1 }, (_, index) => DEFAULT_PORT + index);
  const ports = wanted === undefined ? [...new Set([last ?? DEFAULT_PORT, ...fallback])] : [wanted];
  for (const port of ports) {
    try {
      return await api.listen(port, host);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
  throw new ValkeeperError('api_port_taken', { port: wanted ?? `${DEFAULT_PORT} to ${LAST_PORT}` });
}

/** Agents that run know the old port: they end, leaving their nodes, and are started again with the new one. */
async function detachAgents(dataDir: string, machines: readonly LocalMachine[]): Promise<void> {
  const agents = agentsOf(dataDir, machines);
  for (const { pid } of agents) process.kill(pid, 'SIGTERM');
  await waitForExit(agents, AGENT_EXIT_MS);
}

const agentsOf = (dataDir: string, machines: readonly LocalMachine[]): ProcessIdentity[] =>
  machines.map(({ name }) => recordedAgent(dataDir, name)).filter((agent) => agent !== null);

/** Stops nodes and agents, once however often it is called; after a failure it may be called again. */
function shutDownOnce(
  dataDir: string,
  machines: readonly LocalMachine[],
  fleet: LocalFleet,
  control: ControlPlane,
): ControlPlane['shutDown'] {
  const shutDown: ControlPlane['shutDown'] = async (options) => {
    await untilConnected(control, machines);
    const agents = agentsOf(dataDir, machines);
    fleet.release();
    try {
      await control.shutDown(options);
    } catch (error) {
      fleet.keep();
      throw error;
    }
    await waitForExit(agents, AGENT_EXIT_MS);
  };
  let running: Promise<void> | null = null;
  return (options) => {
    running ??= shutDown(options).catch((error: unknown) => {
      running = null;
      throw error;
    });
    return running;
  };
}

async function untilConnected(control: ControlPlane, machines: readonly LocalMachine[]): Promise<void> {
  const deadline = performance.now() + CONNECT_MS;
  const connected = (): number => control.fleet.statuses().filter((machine) => machine.connected).length;
  while (connected() < machines.length && performance.now() < deadline) await sleep(20);
}

async function lastLines(path: string, lines: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.subarray(0, bytesRead).toString().trimEnd().split('\n').slice(-lines).join('\n');
  } finally {
    await file.close();
  }
}
