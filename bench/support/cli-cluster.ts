/** The way without Valkeeper: fresh processes with the very settings of nodes of Valkeeper's, and `valkey-cli --cluster`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { pathsIn } from '../../src/main/data-dir.ts';
import { startChild } from './children.ts';
import type { Engine, Fleet } from './fleet.ts';
import { type Address, accepts, type Credentials, type Formation, watchFormation } from './formation.ts';

/** Beyond the ports that Valkeeper gives to nodes first. */
export const FIRST_PORT = 9_001;

/** A node's settings, to be used elsewhere. */
export interface Template {
  host: string;
  conf: string;
  users: string;
}

/** The settings of a database's nodes, primaries first. */
export function templatesOf(fleet: Fleet, { shards }: DatabaseStatus): Template[] {
  const nodes = [...shards.map(({ primary }) => primary!), ...shards.flatMap(({ replicas }) => replicas)];
  return nodes.map(({ machine, nodeId, host }) => {
    const folder = join(pathsIn(fleet.dataDir).machine(machine), 'nodes', nodeId);
    return {
      host,
      conf: readFileSync(join(folder, 'valkey.conf'), 'utf8').replaceAll(folder, '@folder@'),
      users: readFileSync(join(folder, 'users.acl'), 'utf8'),
    };
  });
}

export interface CliFormation extends Formation {
  /** Until valkey-cli itself has ended; from the same moment on as the rest. */
  commandEnded: number;
}

/** Starts the processes, and valkey-cli as soon as all of them accept connections; watches; kills them. */
export async function formByCli(
  { serverPath, cliPath }: Engine,
  scratch: string,
  templates: readonly Template[],
): Promise<CliFormation> {
  if (cliPath === null) throw new Error('there is no valkey-cli beside the engine');
  const root = join(scratch, 'cli-cluster');
  const addresses = templates.map(({ host }, index) => ({ host, port: FIRST_PORT + index }));
  const servers: ChildProcess[] = [];
  try {
    for (const [index, template] of templates.entries()) {
      servers.push(startServer(serverPath, join(root, `${index}`), template, addresses[index]!));
    }
    const acceptedAt = Math.max(...(await Promise.all(addresses.map(accepts))));
    const credentials = adminOf(templates[0]!);
    const [formation, { endedAt }] = await Promise.all([
      watchFormation(addresses, credentials, acceptedAt),
      createCluster(cliPath, credentials, addresses),
    ]);
    return { ...formation, commandEnded: endedAt - acceptedAt };
  } finally {
    await killServers(servers);
    rmSync(root, { recursive: true, force: true });
  }
}

/** A process with these settings, in this folder and at this port. */
export function startServer(
  serverPath: string,
  folder: string,
  { conf, users }: Template,
  { port }: Pick<Address, 'port'>,
): ChildProcess {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'users.acl'), users);
  const settings = conf.replaceAll('@folder@', folder).replace(/^port .*$/m, `port ${port}`);
  writeFileSync(join(folder, 'valkey.conf'), settings);
  return startChild(serverPath, [join(folder, 'valkey.conf')], folder);
}

/** Resolves when all of them have ended. */
export async function killServers(servers: readonly ChildProcess[]): Promise<void> {
  for (const server of servers) server.kill('SIGKILL');
  await Promise.all(servers.map((server) => server.exitCode ?? server.signalCode ?? once(server, 'exit')));
}

/** The user that replicas log in with may do everything. */
export function adminOf({ conf }: Template): Credentials {
  const value = (name: string): string => new RegExp(`^${name} "(.*)"$`, 'm').exec(conf)![1]!;
  return { username: value('primaryuser'), password: value('primaryauth') };
}

/** `valkey-cli --cluster create`, primaries first and as many replicas. @throws Error with what it wrote, when it failed */
export function createCluster(
  cliPath: string,
  credentials: Credentials,
  addresses: readonly Address[],
): Promise<{ endedAt: number; output: string }> {
  return runCluster(
    cliPath,
    credentials,
    'create',
    ...addresses.map(wordOf),
    '--cluster-replicas',
    '1',
    '--cluster-yes',
  );
}

/** An address as valkey-cli takes it. */
export const wordOf = ({ host, port }: Address): string => `${host}:${port}`;

/** Runs `valkey-cli --cluster <words>`; tells when it ended (`performance.now()`). @throws Error with what it wrote, when it failed */
export async function runCluster(
  cliPath: string,
  { username, password }: Credentials,
  ...words: string[]
): Promise<{ endedAt: number; output: string }> {
  const child = spawn(cliPath, ['--user', username, '--cluster', ...words], {
    env: { ...process.env, REDISCLI_AUTH: password },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk));
  const [code] = (await once(child, 'exit')) as [number | null];
  const endedAt = performance.now();
  if (code !== 0) throw new Error(`valkey-cli --cluster ${words[0]} failed:\n${output}`);
  return { endedAt, output };
}
