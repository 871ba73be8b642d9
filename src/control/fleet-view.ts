/** Machines as the planner sees them: their records, what agents told, less what the assigned nodes reserve. */
import { type Database, specNow } from '../domain/database.ts';
import { byName } from '../domain/ids.ts';
import { type MachineRecord, zoneOf } from '../domain/machine.ts';
import type { EndpointView, MachineView } from '../domain/view.ts';
import { endpointProblem } from '../plan/endpoints.ts';
import { reservedBytesPerNode } from '../plan/placement.ts';
import type { MachineEndpoint } from '../protocol/api.ts';
import type { Machine } from './agents.ts';

/**
 * Every machine of the fleet, connected or not, with the memory that its assigned nodes reserve.
 * @param startedAt since when the control plane looks: what has not been seen is away since then at the earliest
 */
export function fleetView(
  machines: readonly Machine[],
  databases: readonly Database[],
  records: readonly MachineRecord[] = [],
  startedAt = 0,
): MachineView[] {
  const reserved = reservedBytes(databases);
  const seen = new Map(machines.map((machine) => [machine.name, machine]));
  const recorded = records.map((record): MachineView => {
    const { connected, since, endpoint, disk } = seen.get(record.name) ?? AWAY;
    const { name, address, tls, memoryBytes, state } = record;
    return {
      ...{ name, address, tls, zone: zoneOf(record), state, connected, memoryBytes, endpoint },
      since: since ?? startedAt,
      reservedBytes: reserved.get(name) ?? 0,
      ...(disk ? { disk } : {}),
    };
  });
  const names = new Set(records.map(({ name }) => name));
  const unrecorded = machines
    .filter(({ name }) => !names.has(name))
    .map(
      ({ nodes: _, ...machine }): MachineView => ({
        ...machine,
        state: 'active',
        reservedBytes: reserved.get(machine.name) ?? 0,
      }),
    );
  return [...recorded, ...unrecorded].sort((a, b) => byName(a.name, b.name));
}

const AWAY = { connected: false, since: null, endpoint: null, disk: undefined } as const;

/** By machine; nodes that are still to be removed take their memory until then. */
function reservedBytes(databases: readonly Database[]): Map<string, number> {
  const reserved = new Map<string, number>();
  for (const database of databases) {
    const { nodes, retired } = database;
    const bytes = reservedBytesPerNode(specNow(database));
    for (const { machine } of [...nodes, ...retired]) reserved.set(machine, (reserved.get(machine) ?? 0) + bytes);
  }
  return reserved;
}

/** A machine's endpoint process as it is published: one that fails for some database only has no problem of its own. */
export const machineEndpoint = (
  address: string,
  endpoint: EndpointView,
  databases: readonly Database[],
): MachineEndpoint => ({
  pid: endpoint.pid,
  metrics: endpoint.metricsPort === null ? null : `http://${address}:${endpoint.metricsPort}/metrics`,
  problem: endpoint.problem,
  serves: databases
    .filter(({ uid, spec }) => endpointProblem(endpoint, uid, spec.port) === null)
    .map(({ name }) => name),
});
