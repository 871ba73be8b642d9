/** The data directory: what lies where, who may read it, and what was decided when it was made. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Endpoint } from '../cli/client.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { readJson, writeFileAtomic } from '../platform/files.ts';
import { isRunning, type ProcessIdentity } from '../platform/process-identity.ts';

/** A machine of the local fleet: an agent with a loopback address and a share of the host's memory. */
export interface LocalMachine {
  name: string;
  address: string;
  zone: string;
  memoryBytes: number;
}

/** What outlives restarts, beside the store. */
export interface FleetFile {
  machines: LocalMachine[];
  /** Port of the API; null until it has listened once. */
  apiPort: number | null;
  /** The database `main` was made once; deleting it is final. */
  createdMain: boolean;
}

/** A server that runs, or did. */
export interface ServerFile extends ProcessIdentity {
  url: string;
}

export const DEFAULT_MACHINES = 3;
export const DEFAULT_ADDRESS_BASE = '127.0.0.11';
/** Part of the host's memory that nodes may use, all local machines together. */
const MEMORY_SHARE = 0.6;

/** The paths in a data directory. */
export const pathsIn = (dataDir: string) => ({
  token: join(dataDir, 'token'),
  agentToken: join(dataDir, 'agent-token'),
  fleet: join(dataDir, 'fleet.json'),
  upLock: join(dataDir, 'up.lock'),
  control: join(dataDir, 'control'),
  store: join(dataDir, 'control', 'valkeeper.db'),
  server: join(dataDir, 'control', 'server.json'),
  serverLog: join(dataDir, 'control', 'server.log'),
  /** What the server writes to its standard output and error. */
  serverOut: join(dataDir, 'control', 'server.out'),
  serverErr: join(dataDir, 'control', 'server.err'),
  machines: join(dataDir, 'machines'),
  machine: (name: string) => join(dataDir, 'machines', name),
});

/** Where data lies when --data-dir does not say it. */
export const defaultDataDir = (env: NodeJS.ProcessEnv): string =>
  env['VALKEEPER_HOME'] || env['VALKEEPER_DEFAULT_HOME'] || join(homedir(), '.valkeeper');

/** Makes the directory, its folders and its tokens, as far as they are not there. @throws data_dir_unusable */
export function prepareDataDir(dataDir: string): void {
  const { token, agentToken, control, machines } = pathsIn(dataDir);
  for (const folder of [dataDir, control, machines]) makeFolder(folder);
  for (const file of [token, agentToken]) makeToken(file);
}

/** A folder that only its owner may read, made if need be. @throws data_dir_unusable */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (!statSync(path).isDirectory()) throw new Error('is not a folder');
    chmodSync(path, 0o700);
  } catch (error) {
    throw unusable(path, error);
  }
}

function makeToken(path: string): void {
  try {
    writeFileSync(path, randomBytes(24).toString('base64url'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(path, error);
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'may not be written by this user',
  EPERM: 'may not be written by this user',
  EROFS: 'is on a read-only file system',
  EEXIST: 'is a file, not a folder',
  ENOTDIR: 'has a file where a folder should be',
  ENOENT: 'cannot be made there',
  ENOSPC: 'is on a full disk',
};

function unusable(path: string, error: unknown): ValkeeperError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new ValkeeperError('data_dir_unusable', { path, problem: REASONS[code] ?? message }, { cause: error });
}

/** A token of the directory. @throws file_unusable */
export const readToken = (path: string): string => readFileSync(path, 'utf8').trim();

/** What is recorded; null in a new directory. @throws file_unusable, file_damaged */
export async function readFleet(dataDir: string): Promise<FleetFile | null> {
  const path = pathsIn(dataDir).fleet;
  const content = (await readJson(path)) as FleetFile | undefined;
  if (content === undefined) return null;
  if (!Array.isArray(content.machines)) {
    throw new ValkeeperError('file_damaged', { path, problem: 'it names no machines' });
  }
  return content;
}

/** Records a change of the fleet. @throws file_unusable */
export async function changeFleet(dataDir: string, change: Partial<FleetFile>): Promise<FleetFile> {
  const fleet = { machines: [], apiPort: null, createdMain: false, ...(await readFleet(dataDir)), ...change };
  await writeFileAtomic(pathsIn(dataDir).fleet, `${JSON.stringify(fleet, null, 2)}\n`);
  return fleet;
}

/**
 * The local machines of a new fleet: consecutive loopback addresses, equal shares of the host's memory.
 * @throws invalid_value when the addresses do not lie in 127.0.0.0/8
 */
export function planMachines(count: number, addressBase: string): LocalMachine[] {
  const match = /^(127\.\d{1,3}\.\d{1,3})\.(\d{1,3})$/.exec(addressBase);
  const first = Number(match?.[2]);
  if (!match || first < 1 || first + count > 255 || addressBase.split('.').some((part) => Number(part) > 255)) {
    throw new ValkeeperError('invalid_value', {
      field: '--address-base',
      problem: `must leave room for ${count} loopback addresses, is ${addressBase}`,
      remedy: `Choose one such as ${DEFAULT_ADDRESS_BASE}.`,
    });
  }
  const memoryBytes = Math.floor((hostMemoryBytes() * MEMORY_SHARE) / count);
  return Array.from({ length: count }, (_, index) => ({
    name: `machine-${index + 1}`,
    address: `${match[1]}.${first + index}`,
    zone: 'local',
    memoryBytes,
  }));
}

/** Memory of the host, or what a container leaves of it. */
function hostMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** The server recorded in the directory, if it still runs. */
export function runningServer(dataDir: string): ServerFile | null {
  let server: ServerFile;
  try {
    server = JSON.parse(readFileSync(pathsIn(dataDir).server, 'utf8')) as ServerFile;
  } catch {
    return null; // none was started, or one is just being started
  }
  return isRunning(server) ? server : null;
}

/** How to reach the running server. @throws not_running */
export function endpointOf(dataDir: string): Endpoint {
  const server = runningServer(dataDir);
  if (!server) throw new ValkeeperError('not_running', { dir: dataDir });
  return { dataDir, url: server.url, token: readToken(pathsIn(dataDir).token) };
}
