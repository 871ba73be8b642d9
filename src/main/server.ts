/** The server process: store, control plane and API, and the agents of the local machines. */
import { open, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, createApi } from '../api/server.ts';
import { loadKey } from '../backup/key.ts';
import type { Cli } from '../cli/cli.ts';
import type { ServerOptions } from '../cli/process-options.ts';
import { ControlCredentials } from '../control/control-credentials.ts';
import type { ControlPlane } from '../control/control-plane.ts';
import { fleetAuthority, hasAuthority } from '../control/fleet-authority.ts';
import { DEFAULT_LEASE_MS } from '../control/leader.ts';
import { serveAgents } from '../control/serve-agents.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { carriesToken } from '../platform/bearer.ts';
import { systemClock } from '../platform/clock.ts';
import { writeFileAtomic } from '../platform/files.ts';
import { createLogger } from '../platform/log.ts';
import { identify, type ProcessIdentity } from '../platform/process-identity.ts';
import { pathsIn, readToken, runningServer, type ServerFile } from './data-dir.ts';
import { describe, existingEngine } from './engine.ts';
import { changeFleet, type LocalMachine, readFleet } from './fleet-file.ts';
import {
  isEverywhere,
  joinUrlsOf,
  type ListenAddress,
  listenForMachines,
  namesFor,
  parseListen,
} from './fleet-listener.ts';
import { LocalFleet, recordedAgent } from './local-fleet.ts';
import { prepareDataDir } from './prepare.ts';
import { waitForExit } from './processes.ts';
import { seatAlone, seatShared } from './seat.ts';
import { joinFleet } from './shared-fleet.ts';
import { chooseStore } from './store-choice.ts';

/** Of the API, unless it is taken or another is asked for. */
export const DEFAULT_PORT = 7420;
const LAST_PORT = 7439;
/** Before a shutdown, agents get this long to connect: what is not connected cannot be told to stop. */
const CONNECT_MS = 5_000;
const AGENT_EXIT_MS = 10_000;
/** Enough for the longest answer of `logs`. */
const LOG_TAIL_BYTES = 4 * 1024 ** 2;

/**
 * Runs until a shutdown was asked for, by the API, SIGTERM or SIGINT, and has been carried out. SIGQUIT ends the server
 * alone.
 * @throws already_running, api_port_taken, listen_unusable, bad_advertise, invalid_value, and what the engine's search and the store's opening throw
 */
export async function runServer({ dataDir, host: { version } }: Cli, options: ServerOptions): Promise<void> {
  const over = Promise.withResolvers<void>();
  const signalled = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, signalled.resolve);
  process.on('SIGQUIT', () => over.resolve()); // as a service: agents and nodes go on

  const address = options.listen === undefined ? null : parseListen(options.listen);
  const advertised = advertisedIn(options, address);
  prepareDataDir(dataDir);
  const paths = pathsIn(dataDir);
  const other = runningServer(dataDir);
  if (other) throw new ValkeeperError('already_running', { dir: dataDir, pid: other.pid });
  const { log, close: closeLog } = createLogger({ name: 'server', file: paths.serverLog, level: 'info' });
  process.on('uncaughtExceptionMonitor', (error) => log.error({ err: error }, 'the server ends by a defect'));

  const engine = await existingEngine();
  const { store, isShared } = await chooseStore(paths.store, options);
  const authority = fleetAuthority(store, systemClock);
  const joinUrls = (): string[] => (address === null ? [] : advertised === null ? joinUrlsOf(address) : [advertised]);
  const credentials =
    address === null && !(await hasAuthority(store))
      ? null
      : await ControlCredentials.open({ ...namesFor(address), authority, clock: systemClock, log });
  const planeOptions = {
    credentials: credentials && (() => credentials.current),
    entrance: { authority, joinUrls },
    backup: await backupsOf(paths.backups, isShared, options),
    ...{ log, clock: systemClock, version, dataDir, engineVersion: engine.version },
    readOwnLog: (lines: number) => lastLines(paths.serverLog, lines),
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
    ({ headers }) => {
      if (!carriesToken(headers.authorization, agentToken)) throw new ValkeeperError('not_authorized');
      return { kind: 'local' };
    },
  );

  let listener: Awaited<ReturnType<typeof listenForMachines>> | null = null;
  try {
    const port = await listen(api, options.apiPort, lastPort);
    const url = `http://127.0.0.1:${port}`;
    if (lastPort !== null && port !== lastPort) await detachAgents(dataDir, machines);
    await changeFleet(dataDir, { apiPort: port });
    if (address && credentials)
      listener = await listenForMachines(address, { api, seat, log, clock: systemClock, credentials });
    if (listener) await writeFileAtomic(paths.authority, (await authority()).certificate, 0o644);
    seat.begin(advertised ?? joinUrls()[0] ?? url);
    fleet.keep();
    const server: ServerFile = { ...identify(process.pid)!, url, engine: describe(engine) };
    await writeFileAtomic(paths.server, `${JSON.stringify(server)}\n`);
    log.info({ ...server, version, advertised, isShared }, 'the server listens');
    signalled.promise
      // With machines elsewhere, or servers that lead in turn, the end of this process is no end of the fleet.
      .then(() => (isShared || listener ? undefined : shutDown({ loseUnsavedData: true })))
      .then(over.resolve, over.reject);
    await over.promise;
  } finally {
    fleet.release();
    await rm(paths.server, { force: true });
    await seat.close();
    await api.close();
    await listener?.close();
    credentials?.close();
    await store.close();
    log.info('the server ends');
    closeLog();
  }
}

/** Several servers have no folder in common, as far as this one knows. @throws backup_key_invalid */
async function backupsOf(folder: string, isShared: boolean, { backupKeyFile: file }: ServerOptions) {
  const key = await loadKey({ file, env: process.env });
  return { place: isShared ? null : folder, keys: key === null ? [] : [key] };
}

/** @throws bad_advertise */
function advertisedIn({ advertise, listen, store }: ServerOptions, address: ListenAddress | null): string | null {
  if (advertise === undefined) {
    if (store === undefined || address === null || !isEverywhere(address)) return null;
    throw new ValkeeperError('bad_advertise', { url: '', problem: `is needed: nobody can reach ${listen}` });
  }
  const url = URL.parse(advertise);
  const isPlace = url !== null && url.pathname === '/' && !url.search && !url.username;
  // What listens for others speaks TLS only; without it, whoever reaches this server is on its host.
  if (isPlace && url.protocol === (address === null ? 'http:' : 'https:')) return url.origin;
  const problem = `is not the URL of a server that listens ${address === null ? 'on loopback only' : 'over TLS'}`;
  throw new ValkeeperError('bad_advertise', { url: advertise, problem });
}

/**
 * Tries the port asked for; without a wish the last one, then the free ones from the default on.
 * @throws api_port_taken
 */
async function listen(api: Api, wanted: number | undefined, last: number | null): Promise<number> {
  const fallback = Array.from({ length: LAST_PORT - DEFAULT_PORT + 1 }, (_, index) => DEFAULT_PORT + index);
  const ports = wanted === undefined ? [...new Set([last ?? DEFAULT_PORT, ...fallback])] : [wanted];
  for (const port of ports) {
    try {
      return await api.listen(port);
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
  const local = new Set(machines.map(({ name }) => name));
  const connected = (): number =>
    control.fleet.statuses().filter((machine) => machine.connected && local.has(machine.name)).length;
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
