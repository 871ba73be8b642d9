/** The end of a fleet: what would be lost by it, and every machine's nodes stopped. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { keepsDataOnDisk } from '../domain/spec.ts';
import type { Agents } from './agents.ts';

/** A node gets this long to write its data and end; after that its agent kills it. */
const STOP_GRACE_MS = 30_000;

/** @throws nothing_on_disk when a database keeps nothing on disk */
export function requireDataOnDisk(databases: readonly Database[]): void {
  const fleeting = databases.filter(({ spec, deleting }) => !keepsDataOnDisk(spec) && !deleting);
  if (fleeting.length === 0) return;
  throw new ValkeeperError('nothing_on_disk', { names: fleeting.map(({ name }) => name).join(', ') });
}

/** All nodes of all machines whose agents are connected, and the agents; resolves when all have stopped. */
export async function stopMachines(agents: Agents): Promise<void> {
  const connected = agents.machines().filter((machine) => machine.connected);
  const args = { graceMs: STOP_GRACE_MS };
  await Promise.all(connected.map(({ name }) => agents.request(name, 'shut_down', args, STOP_GRACE_MS * 2)));
}
