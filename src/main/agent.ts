/** The agent process of one local machine. It ends on its own signal without touching its nodes. */
import { join } from 'node:path';
import { startAgent } from '../agent/agent.ts';
import type { Cli } from '../cli/cli.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { createLogger } from '../platform/log.ts';
import { NEIGHBOUR_PORT } from '../protocol/neighbour-messages.ts';
import { pathsIn, readToken } from './data-dir.ts';
import { existingEngine } from './engine.ts';
import { readFleet } from './fleet-file.ts';
import { makeFolder } from './prepare.ts';
import { programFile } from './processes.ts';

/** Client ports that nodes of a local machine may get; each machine has an address of its own. */
const PORT_RANGE = [7000, 7999] as const;

/**
 * Runs until the control plane shuts the machine down, or SIGTERM or SIGINT detaches the agent from its nodes.
 * @throws machine_not_found, and what the engine's search and the agent's start throw
 */
export async function runAgent(
  { dataDir }: Pick<Cli, 'dataDir'>,
  { machine: name }: { machine: string },
): Promise<void> {
  const fleet = await readFleet(dataDir);
  const machine = fleet?.machines.find((candidate) => candidate.name === name);
  if (!machine) throw new ValkeeperError('machine_not_found', { name });
  const paths = pathsIn(dataDir);
  const dir = paths.machine(name);
  makeFolder(dir);
  const engine = await existingEngine();
  const { log, close: closeLog } = createLogger({ name: 'agent', file: join(dir, 'agent.log'), level: 'info' });
  process.on('uncaughtExceptionMonitor', (error) => log.error({ err: error }, 'the agent ends by a defect'));
  const agent = await startAgent({
    dir,
    machine: name,
    address: machine.address,
    zone: machine.zone,
    memoryBytes: machine.memoryBytes,
    enginePath: engine.serverPath,
    engineVersion: engine.version,
    controlUrls: [`http://127.0.0.1:${fleet?.apiPort}`],
    token: readToken(paths.agentToken),
    portRange: PORT_RANGE,
    neighbourPort: NEIGHBOUR_PORT,
    credentials: null,
    plainText: false,
    endpointProgram: programFile('endpoint-process'),
    endpointWorkers: workersIn(process.env),
    log,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void agent.close());
  await agent.closed;
  closeLog();
}

const MOST_WORKERS = 64;

/** `VALKEEPER_ENDPOINT_WORKERS`: processes that share the work of a machine's endpoint; 1 when it is not set. */
export function workersIn({ VALKEEPER_ENDPOINT_WORKERS: text = '1' }: NodeJS.ProcessEnv): number {
  const workers = Number(text);
  if (Number.isInteger(workers) && workers >= 1 && workers <= MOST_WORKERS) return workers;
  throw new ValkeeperError('invalid_value', {
    field: 'VALKEEPER_ENDPOINT_WORKERS',
    problem: `${JSON.stringify(text)} is not a number of workers`,
    remedy: `Set it to a whole number from 1 to ${MOST_WORKERS}, or not at all.`,
  });
}
