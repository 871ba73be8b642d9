/** Whether a wish can be granted: names, bounds and the fleet's room are checked before anything is stored. */
import { BUS_PORT_OFFSET, type Database, type NodeAssignment } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { isName, type NodeId } from '../domain/ids.ts';
import { isLoopback } from '../domain/plain-text.ts';
import { formatSize } from '../domain/size.ts';
import { type DatabaseSpec, DEFAULT_SPEC, memoryBytesPerNode, SPEC_LIMITS } from '../domain/spec.ts';
import { counted } from '../domain/template.ts';
import { usersMistake } from '../domain/user-rules.ts';
import type { MachineView } from '../domain/view.ts';
import { describeAddition } from '../plan/placement/addition.ts';
import { type Place, place } from '../plan/placement.ts';
import type { SpecInput } from '../protocol/api.ts';

/** The whole spec, defaults filled in. @throws invalid_value when its parts do not go together */
export function completeSpec(input: SpecInput): DatabaseSpec {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const spec: DatabaseSpec = { ...DEFAULT_SPEC, ...given };
  const smallest = SPEC_LIMITS.memoryBytesPerShard.min;
  if (memoryBytesPerNode(spec) < smallest) {
    throw new ValkeeperError('invalid_value', {
      field: 'memory',
      problem: `${formatSize(spec.memoryBytes)} over ${counted(spec.shards, 'shard')} leaves less than ${formatSize(smallest)} each`,
      remedy: `Ask for at least ${formatSize(smallest * spec.shards)}, or for fewer shards.`,
    });
  }
  const unreachable = acknowledgementsMistake(spec);
  if (unreachable) throw new ValkeeperError('invalid_value', unreachable);
  const problem = usersMistake(spec.users);
  if (problem) {
    const remedy = "Rules are such as `~app:* +@read`; the engine's documents of ACL SETUSER tell them all.";
    throw new ValkeeperError('invalid_value', { field: 'users', problem, remedy });
  }
  return { ...spec, users: spec.users.map(({ name, rules }) => ({ name, rules: rules.trim().replace(/\s+/g, ' ') })) };
}

/** Writes that could never be acknowledged. */
function acknowledgementsMistake({ durability, acknowledgements, replicas }: DatabaseSpec) {
  if (durability !== 'acknowledged' || acknowledgements <= replicas) return null;
  return {
    field: 'acknowledgements',
    problem: `${counted(acknowledgements, 'replica')} must have each write, and each primary has ${counted(replicas, 'replica')}`,
    remedy:
      replicas === 0
        ? 'A database without replicas has durability async.'
        : `Ask for at most ${replicas}, or for durability async.`,
  };
}

/** @throws invalid_name */
export function checkName(name: string): void {
  if (!isName(name)) throw new ValkeeperError('invalid_name', { field: 'name', value: JSON.stringify(name) });
}

/**
 * The machines that may get nodes of a new database: where any has credentials, only those that have. A database speaks
 * TLS throughout or not at all, and it must not lose it because a machine without is less full.
 */
const machinesFor = (machines: readonly MachineView[]): readonly MachineView[] =>
  machines.some(({ tls }) => tls) ? machines.filter(({ tls }) => tls) : machines;

/** Places for the nodes of a new database. @throws invalid_value, not_enough_memory, no_auth_beyond_loopback, agent_away */
export function findPlaces(spec: DatabaseSpec, machines: readonly MachineView[]): Place[] {
  const beyond = machines.find(({ address }) => !isLoopback(address));
  if (!spec.auth && beyond) {
    throw new ValkeeperError('no_auth_beyond_loopback', { machine: beyond.name, address: beyond.address });
  }
  const placement = place(spec, machinesFor(machines));
  if (!('refused' in placement)) return placement.places;
  const { machines: count, machinesNeeded, maxReplicas, nodeBytes, nodes, missing, add } = placement.figures;
  const advice = add ? `Add ${describeAddition(add)}` : 'Add machines';
  if (placement.refused === 'not_enough_memory') {
    const room = nodes - missing;
    throw new ValkeeperError('not_enough_memory', { nodes, needed: formatSize(nodeBytes), room, advice });
  }
  const fewer = count === 0 ? 'wait until agents are connected' : `ask for at most ${counted(maxReplicas, 'replica')}`;
  throw new ValkeeperError('invalid_value', {
    field: 'replicas',
    problem: `${counted(spec.replicas, 'replica')} and their primary need ${machinesNeeded} machines, connected and active: ${count}`,
    remedy: `${advice}, or ${fewer}.`,
  });
}

/** The machine's client ports that assigned nodes and endpoints have, with those whose bus port would clash. */
export const portsInUse = (machine: string, databases: readonly Database[]): number[] =>
  databases
    .flatMap(({ nodes, retired, spec }) => [spec, ...[...nodes, ...retired].filter((node) => node.machine === machine)])
    .flatMap(({ port }) => [port, port + BUS_PORT_OFFSET, port - BUS_PORT_OFFSET]);

/** Places with ids and ports given to them, in order. `ports` holds enough free ones for each machine. */
export function assignNodes(
  places: readonly Place[],
  machines: readonly MachineView[],
  ids: readonly NodeId[],
  ports: ReadonlyMap<string, readonly number[]>,
): NodeAssignment[] {
  const used = new Map<string, number>();
  return places.map(({ shard, machine, birth }, index) => {
    const next = used.get(machine) ?? 0;
    used.set(machine, next + 1);
    const { address: host, tls } = machines.find(({ name }) => name === machine)!;
    return { id: ids[index]!, shard, machine, host, port: ports.get(machine)![next]!, tls, birth };
  });
}
