/** The data directory: what lies where, and the server that runs in it. Every command loads this, so it loads little. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Endpoint } from '../cli/endpoint.ts';
import type { EngineDescription } from '../cli/process-options.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { isRunning, type ProcessIdentity } from '../platform/process-identity.ts';

/** A server that runs, or did. */
export interface ServerFile extends ProcessIdentity {
  url: string;
  /** With which it works. */
  engine: EngineDescription;
}

/** The paths in a data directory. */
export const pathsIn = (dataDir: string) => ({
  token: join(dataDir, 'token'),
  agentToken: join(dataDir, 'agent-token'),
  fleet: join(dataDir, 'fleet.json'),
  /** Certificate of the fleet's authority, for clients elsewhere. */
  authority: join(dataDir, 'authority.pem'),
  /** What the agent of a machine that has joined keeps. */
  agent: join(dataDir, 'agent'),
  agentSettings: join(dataDir, 'agent', 'settings.json'),
  /** Key and certificate, and the authorities: what agent, nodes and endpoint show and believe. */
  credentials: {
    identity: join(dataDir, 'agent', 'machine.pem'),
    authorities: join(dataDir, 'agent', 'authorities.pem'),
  },
  /** The key of a request that was not answered yet. */
  joiningKey: join(dataDir, 'agent', 'joining.pem'),
  upLock: join(dataDir, 'up.lock'),
  control: join(dataDir, 'control'),
  store: join(dataDir, 'control', 'valkeeper.db'),
  server: join(dataDir, 'control', 'server.json'),
  serverLog: join(dataDir, 'control', 'server.log'),
  /** Of backups, when nobody says where they go. */
  backups: join(dataDir, 'backups'),
  /** What the server writes to its standard output and error. */
  serverOut: join(dataDir, 'control', 'server.out'),
  serverErr: join(dataDir, 'control', 'server.err'),
  machines: join(dataDir, 'machines'),
  machine: (name: string) => join(dataDir, 'machines', name),
});

/** Where data lies when --data-dir does not say it. */
export const defaultDataDir = (env: NodeJS.ProcessEnv): string =>
  env['VALKEEPER_HOME'] || env['VALKEEPER_DEFAULT_HOME'] || join(homedir(), '.valkeeper');

/** A token of the directory. @throws file_unusable */
export function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ValkeeperError(
      'file_unusable',
      { verb: 'read', path, problem: (error as Error).message },
      { cause: error },
    );
  }
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
