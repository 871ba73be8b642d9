/** What `up` tells: the state, and the lines a person copies to connect, look around and stop. */
import { dirname, join, resolve } from 'node:path';
import type { Cli } from '../cli/cli.ts';
import { describeSpec } from '../cli/describe.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import type { FleetStatus } from '../protocol/api.ts';
import { defaultDataDir } from './data-dir.ts';
import { describeEngine } from './engine.ts';

/** Prints the running fleet; `started`: by this very command. */
export async function printRunning(cli: Cli, started: boolean): Promise<void> {
  const [status, { databases }] = await Promise.all([cli.client.status(), cli.client.databases()]);
  const { cliPath } = await describeEngine(cli.dataDir);
  cli.print({ started, ...status, databases }, () => describeRunning(cli.dataDir, status, databases, cliPath));
}

function describeRunning(
  dataDir: string,
  { engineVersion, machines }: FleetStatus,
  databases: readonly DatabaseStatus[],
  cliPath: string | null,
): string {
  const valkeeper = commandLine(dataDir, process.env, process.cwd());
  const connected = machines.filter((machine) => machine.connected).length;
  const shown = databases.find(({ name }) => name === 'main') ?? databases[0];
  return [
    `Valkeeper runs with Valkey ${engineVersion} on ${connected} of ${machines.length} machines.`,
    ...databases.map(describeState),
    '',
    ...(shown ? connectLines(shown, valkeeper, cliPath ?? 'valkey-cli') : []),
    `Data      ${dataDir}`,
    `See more  ${valkeeper('status')}   ${valkeeper(`db show ${shown?.name ?? 'NAME'}`)}`,
    `Stop      ${valkeeper('down')}   (keeps the data)`,
  ].join('\n');
}

function describeState({ name, state, spec, conditions }: DatabaseStatus): string {
  const notes = conditions.map(({ severity, message }) => `\n  ${severity}: ${message}`);
  return `${name} is ${state}: ${describeSpec(spec)}${notes.join('')}`;
}

type CommandLine = (words: string) => string;

function connectLines(database: DatabaseStatus, valkeeper: CommandLine, cli: string): string[] {
  const { name, spec, endpoint, clusterEndpoints } = database;
  const address = endpoint ?? clusterEndpoints[0];
  if (!address) return [];
  const { host, port } = address;
  // Without an endpoint, only clients that speak the cluster protocol.
  const cluster = endpoint ? '' : ' -c';
  const password = spec.auth ? `REDISCLI_AUTH="$(${valkeeper(`db password ${name}`)})" ` : '';
  return [
    `Connect   ${password}${quote(cli)}${cluster} -h ${host} -p ${port}`,
    ...(endpoint
      ? [`URL       ${valkeeper(`db url ${name}`)}   (for any Redis client; any machine's address works)`]
      : []),
  ];
}

/** How this very installation and directory are called again from here. */
export function commandLine(dataDir: string, env: NodeJS.ProcessEnv, cwd: string): CommandLine {
  // The launcher sets VALKEEPER_DEFAULT_HOME, to a folder beside itself.
  const checkout = env['VALKEEPER_DEFAULT_HOME'] ? dirname(env['VALKEEPER_DEFAULT_HOME']) : null;
  const program =
    checkout === null ? 'valkeeper' : checkout === cwd ? './valkeeper' : quote(join(checkout, 'valkeeper'));
  const options = resolve(defaultDataDir(env)) === dataDir ? '' : ` --data-dir ${quote(dataDir)}`;
  return (words) => `${program} ${words}${options}`;
}

/** For a POSIX shell. */
const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
