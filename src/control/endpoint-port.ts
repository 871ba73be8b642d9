/** The port of a database's endpoint: free at every machine's address, and nobody else's. */
import { BUS_PORT_OFFSET, type Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { ANY_PORT, FIRST_PORT, SPEC_LIMITS } from '../domain/spec.ts';
import type { Agents } from './agents.ts';

/** How many ports agents are asked about at once. */
const BATCH = 16;
const ASK_TIMEOUT_MS = 5_000;

/**
 * The wanted port if it can be had; for `ANY_PORT` the first that can, from 6379 upward.
 * @param self the database that asks, if there is one already: its own port is free to it
 * @throws endpoint_port_taken, agent_away, agent_timeout
 */
export async function endpointPort(
  agents: Agents,
  databases: readonly Database[],
  wanted: number,
  self?: Database,
): Promise<number> {
  const owners = ownersOf(databases, self);
  if (wanted !== ANY_PORT) {
    const owner = owners.get(wanted) ?? (await takenAt(agents, [wanted])).get(wanted);
    if (owner) throw new ValkeeperError('endpoint_port_taken', { port: wanted, owner });
    return wanted;
  }
  const { max } = SPEC_LIMITS.port;
  for (let from = FIRST_PORT; from <= max; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, max - from + 1) }, (_, index) => from + index);
    const ports = batch.filter((port) => !owners.has(port));
    const taken = await takenAt(agents, ports);
    const free = ports.find((port) => !taken.has(port));
    if (free !== undefined) return free;
  }
  throw new ValkeeperError('endpoint_port_taken', { port: `${FIRST_PORT} to ${max}`, owner: 'somebody' });
}

/** Whose a port is, among the databases. */
function ownersOf(databases: readonly Database[], self: Database | undefined): Map<number, string> {
  const owners = new Map<number, string>();
  for (const { name, spec, nodes } of databases) {
    for (const { port, machine } of nodes) {
      for (const one of [port, port + BUS_PORT_OFFSET]) owners.set(one, `a node of ${name} on ${machine}`);
    }
    if (spec.port !== ANY_PORT && name !== self?.name) owners.set(spec.port, `the database ${name}`);
  }
  return owners;
}

/** Of these ports those that somebody else listens on, and at which machine. */
async function takenAt(agents: Agents, ports: readonly number[]): Promise<Map<number, string>> {
  const connected = agents.machines().filter((machine) => machine.connected);
  const answers = await Promise.all(
    connected.map(async ({ name, address }) => {
      const { taken } = await agents.request(name, 'taken_ports', { ports }, ASK_TIMEOUT_MS);
      return taken.map((port) => [port, `another process at ${address} on ${name}`] as const);
    }),
  );
  return new Map(answers.flat());
}
