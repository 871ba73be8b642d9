/** Whether all is as it should be after a reshard, by the word of the control plane, of every node, and of this host. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { servingEndpoint } from '../../../src/agent/endpoint-process.ts';
import { countSlots } from '../../../src/domain/slots.ts';
import type { DatabaseStatus, NodeStatus } from '../../../src/domain/status.ts';
import { pathsIn } from '../../../src/main/data-dir.ts';
import { recordedAgent } from '../../../src/main/local-fleet.ts';
import { processesUnder } from '../../../test/support/leaks.ts';
import { type Owners, ownersIn, wrongIn } from '../../faults/owners.ts';
import type { Fleet } from '../../support/fleet.ts';
import { adminOf } from './admin.ts';

const POLL_MS = 100;

/**
 * Waits until nothing is left to wait for.
 * @param killed what is published of it may still be of the time before; null: nothing was
 * @returns what is not as it should be when time is up; null: all is
 */
export async function untilWhole(
  fleet: Fleet,
  name: string,
  killed: number | null,
  timeoutMs: number,
): Promise<string | null> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const wrong = await notWhole(fleet, name, killed).catch((error: Error) => error.message);
    if (wrong === null || performance.now() > deadline) return wrong;
    await sleep(POLL_MS);
  }
}

async function notWhole(fleet: Fleet, name: string, killed: number | null): Promise<string | null> {
  const status = await fleet.client.database(name);
  if (nodesOf(status).some(({ pid }) => pid === killed)) return 'the killed node is told to run';
  return (
    unfinished(status) ??
    (await awayMachines(fleet, name)) ??
    (await ownersWrong(fleet.dataDir, nodesOf(status))) ??
    orphans(fleet.dataDir, nodesOf(status))
  );
}

const nodesOf = ({ shards }: DatabaseStatus): NodeStatus[] =>
  shards.flatMap(({ primary, replicas }) => (primary === null ? replicas : [primary, ...replicas]));

/** By what the control plane publishes. */
function unfinished({ state, reshard, conditions, spec, shards }: DatabaseStatus): string | null {
  if (reshard !== null) return `the reshard is ${reshard.state}`;
  if (state !== 'ready') return `the database is ${state}: ${conditions.map(({ code }) => code).join(', ')}`;
  if (conditions.length > 0) return conditions.map(({ message }) => message).join(' ');
  if (shards.length !== spec.shards) return `${shards.length} shards of ${spec.shards}`;
  for (const { id, slots, primary, replicas } of shards) {
    if (countSlots(slots) === 0) return `${id} has no slots`;
    if (primary === null) return `${id} has no primary`;
    if (replicas.length !== spec.replicas || replicas.some(({ inSync }) => !inSync)) return `${id} lacks a replica`;
  }
  return null;
}

/** By what is published, and by their processes. */
async function awayMachines({ client, dataDir }: Fleet, name: string): Promise<string | null> {
  const { machines } = await client.machines();
  const runs = (machine: string): boolean =>
    recordedAgent(dataDir, machine) !== null && servingEndpoint(pathsIn(dataDir).machine(machine)) !== null;
  const away = machines.filter(
    (machine) => !machine.connected || !machine.endpoint?.serves.includes(name) || !runs(machine.name),
  );
  return away.length === 0 ? null : `without agent or endpoint: ${away.map((machine) => machine.name).join(', ')}`;
}

/** Every node of the record is asked, and knows these and no other. */
async function ownersWrong(dataDir: string, nodes: readonly NodeStatus[]): Promise<string | null> {
  const views = await Promise.all(nodes.map((node) => ownersSeenBy(dataDir, node)));
  const wrong = wrongIn(views);
  if (wrong === null) return 'nodes differ about who owns which slots';
  const ids = new Set(nodes.map(({ nodeId }) => nodeId));
  const strangers = new Set(views.flatMap(({ known }) => known.filter((id) => !ids.has(id))));
  if (strangers.size > 0) wrong.push(`known to nodes, and not in the record: ${[...strangers].join(', ')}`);
  return wrong.length === 0 ? null : wrong.join('; ');
}

async function ownersSeenBy(dataDir: string, node: NodeStatus): Promise<Owners> {
  const connection = adminOf(dataDir, node);
  try {
    return ownersIn(String(await connection.command('CLUSTER', 'NODES')));
  } finally {
    connection.close();
  }
}

/** Processes and folders of nodes that are not in the record. */
function orphans(dataDir: string, nodes: readonly NodeStatus[]): string | null {
  const { machines } = pathsIn(dataDir);
  const pids = new Set(nodes.map(({ pid }) => pid));
  const engines = processesUnder(machines).filter(({ command }) => command.includes('valkey-server'));
  const strays = engines.filter(({ pid }) => !pids.has(pid));
  if (strays.length > 0) return `they run beside the record: ${strays.map(({ command }) => command).join(', ')}`;
  const ids = new Set(nodes.map(({ nodeId }) => nodeId));
  const folders = readdirSync(machines).flatMap((machine) => readdirSync(join(machines, machine, 'nodes')));
  const left = folders.filter((id) => !ids.has(id));
  return left.length === 0 ? null : `folders of nodes that are gone: ${left.join(', ')}`;
}
