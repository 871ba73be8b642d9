/** The agent of a machine that has joined, or joins now. It ends on its own signal without touching its nodes. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startAgent } from '../agent/agent.ts';
import { firstThatAnswers } from '../agent/ask-control.ts';
import { joinFleet } from '../agent/join-fleet.ts';
import { addressTowards, checkAddress } from '../agent/own-address.ts';
import { writeCredentials } from '../agent/write-credentials.ts';
import type { Cli } from '../cli/cli.ts';
import type { AgentCommandOptions } from '../cli/process-options.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { isWitness } from '../domain/machine.ts';
import { writeFileAtomic } from '../platform/files.ts';
import { createLogger } from '../platform/log.ts';
import { fingerprintOf } from '../trust/bundle.ts';
import { MachineCredentials } from '../trust/credential-files.ts';
import { parseJoinToken } from '../trust/join-token.ts';
import { createRequest, type KeyAndRequest } from '../trust/request.ts';
import { workersIn } from './agent.ts';
import { type AgentSettings, readAgentSettings, settingsWith, writeAgentSettings } from './agent-settings.ts';
import { pathsIn } from './data-dir.ts';
import { engineForUp } from './engine.ts';
import { makeFolder } from './prepare.ts';
import { programFile } from './processes.ts';

const CONNECT_MS = 5_000;

/**
 * Joins if it is told to and has not, then runs until the control plane shuts the machine down, or SIGTERM or SIGINT
 * detaches the agent from its nodes.
 * @throws not_joined, what joining throws, and what the engine's search and the agent's start throw
 */
export async function runJoinedAgent(cli: Cli, options: AgentCommandOptions): Promise<void> {
  const { dataDir } = cli;
  const paths = pathsIn(dataDir);
  for (const folder of [dataDir, paths.machines, paths.agent]) makeFolder(folder);
  const progress = cli.progress();
  const engine = await engineForUp(progress).finally(() => progress.end());
  const settings = await settle(dataDir, options);
  const { name, address, zone, memoryBytes, ports, neighbourPort, servers } = settings;
  const dir = paths.machine(name);
  makeFolder(dir);
  const { log, close: closeLog } = createLogger({ name: 'agent', file: join(dir, 'agent.log'), level: 'info' });
  process.on('uncaughtExceptionMonitor', (error) => log.error({ err: error }, 'the agent ends by a defect'));
  let told = false;
  const agent = await startAgent({
    ...{ dir, machine: name, address, zone, memoryBytes, portRange: ports, neighbourPort },
    enginePath: engine.serverPath,
    engineVersion: engine.version,
    controlUrls: servers,
    token: null,
    credentials: paths.credentials,
    plainText: false,
    endpointProgram: isWitness(settings) ? null : programFile('endpoint-process'),
    endpointWorkers: workersIn(process.env),
    welcomed: () => {
      if (!told) cli.print(settings, () => `${name} is part of the fleet, at ${address}.`);
      told = true;
    },
    refused: ({ message, hint }) => cli.note(`${message}\n${hint}`),
    log,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void agent.close());
  await agent.closed;
  closeLog();
}

/** The machine's settings, once it has joined; kept for the next start. */
async function settle(dataDir: string, options: AgentCommandOptions): Promise<AgentSettings> {
  const present = await readAgentSettings(dataDir);
  const { join: urls, label, name, token } = options;
  if ((urls === undefined) !== (token === undefined)) {
    throw usage('--join and --token belong together.', 'Run the line that `valkeeper machine token create` printed.');
  }
  const tokenId = token === undefined ? undefined : tokenIdOf(token);
  const joins = urls !== undefined && tokenId !== present?.tokenId;
  if (present === null && !joins) throw new ValkeeperError('not_joined', { dir: dataDir });
  if (present !== null && name !== undefined && name !== present.name) throw another(dataDir, present);
  if (urls === undefined && label !== undefined) {
    throw usage('--label belongs to --join.', `Later: \`valkeeper machine label ${present?.name} LABEL=VALUE\`.`);
  }
  const wanted = settingsWith(options, present);
  const servers = urls ?? present!.servers;
  const address =
    options.address ?? present?.address ?? (await firstThatAnswers(servers, (url) => addressTowards(url, CONNECT_MS)));
  await checkAddress(address);
  if (isWitness(wanted)) refuseWithNodes(pathsIn(dataDir).machine(wanted.name), wanted.name);
  const settings = { ...wanted, address, servers, tokenId: tokenId ?? present!.tokenId };
  if (joins) await joinAs(dataDir, settings, present, token!, label ?? {});
  await writeAgentSettings(dataDir, settings);
  await rm(pathsIn(dataDir).joiningKey, { force: true });
  return settings;
}

/** @throws usage when it has nodes: they would go on, and be counted nowhere */
function refuseWithNodes(dir: string, name: string): void {
  const nodes = join(dir, 'nodes');
  if (!existsSync(nodes) || readdirSync(nodes).length === 0) return;
  throw usage('This machine has nodes: it cannot become a witness.', `First \`valkeeper machine drain ${name}\`.`);
}

async function joinAs(
  dataDir: string,
  { name, address, servers, zone, memoryBytes }: AgentSettings,
  present: AgentSettings | null,
  token: string,
  labels: Record<string, string>,
): Promise<void> {
  const { credentials, joiningKey } = pathsIn(dataDir);
  const asked = await requestFor(dataDir, name, present, token);
  await writeFileAtomic(joiningKey, asked.key);
  const wish = { token, name, address, zone, labels, memoryBytes };
  await writeCredentials(credentials, await joinFleet(servers, wish, asked));
}

/**
 * With a key that it has already, the machine is known to be the same: that of before, when it joins again, and that of
 * a request whose answer was lost.
 * @throws joined_as_another, credentials_unusable, file_unusable
 */
async function requestFor(
  dataDir: string,
  name: string,
  present: AgentSettings | null,
  token: string,
): Promise<KeyAndRequest> {
  const identity = { kind: 'machine', name } as const;
  const { credentials, joiningKey } = pathsIn(dataDir);
  if (present !== null) {
    const { bundle, key } = new MachineCredentials(credentials).current;
    const { fingerprint } = parseJoinToken(token)!;
    if (!bundle.some((pem) => fingerprintOf(pem) === fingerprint)) throw another(dataDir, present);
    return createRequest(identity, key);
  }
  return existsSync(joiningKey) ? createRequest(identity, await readFile(joiningKey, 'utf8')) : createRequest(identity);
}

/** @throws join_token_malformed */
function tokenIdOf(token: string): string {
  const parsed = parseJoinToken(token);
  if (parsed === null) throw new ValkeeperError('join_token_malformed');
  return parsed.id;
}

const another = (dir: string, { name, servers }: AgentSettings): ValkeeperError =>
  new ValkeeperError('joined_as_another', { dir, name, fleet: servers.join(', ') });

const usage = (problem: string, remedy: string): ValkeeperError => new ValkeeperError('usage', { problem, remedy });
