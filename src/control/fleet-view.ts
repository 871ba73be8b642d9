/** Machines as the planner sees them: what agents told, less what the assigned nodes reserve. */
import type { Database } from '../domain/database.ts';
import type { EndpointView, MachineView } from '../domain/view.ts';
import { endpointProblem } from '../plan/endpoints.ts';
import { reservedBytesPerNode } from '../plan/placement.ts';
import type { MachineEndpoint } from '../protocol/api.ts';
import type { Agents, Machine } from './agents.ts';

/** Every machine there has been, connected or not, with the memory that its assigned nodes reserve. */
export function fleetView(machines: readonly Machine[], databases: readonly Database[]): MachineView[] {
  const reserved = new Map<string, number>();
  for (const { spec, nodes } of databases) {
    const bytes = reservedBytesPerNode(spec);
    for (const { machine } of nodes) reserved.set(machine, (reserved.get(machine) ?? 0) + bytes);
  }
  return machines.map(({ nodes: _, ...machine }) => ({
    ...machine,
    state: 'active',
    reservedBytes: reserved.get(machine.name) ?? 0,
  }));
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

/** Its agent says that the node's process runs no longer, or that there is no such node. */
export function hasEnded(agents: Agents, { nodes }: Database, id: string): boolean {
  const machine = nodes.find((node) => node.id === id)?.machine;
  const report = machine === undefined ? 'absent' : agents.report(machine, id);
  return report === 'absent' || (report !== 'unknown' && report.process.state === 'exited');
}
