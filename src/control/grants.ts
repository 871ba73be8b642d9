/** What a wish is granted: room, ports, names and passwords, found out from the agents and the records before it is stored. */
import { randomUUID } from 'node:crypto';
import { BUS_PORT_OFFSET, type Database, type NodeAssignment, shardNames } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { formatSize } from '../domain/size.ts';
import { ANY_PORT, type DatabaseSpec } from '../domain/spec.ts';
import type { DatabaseView, MachineView } from '../domain/view.ts';
import { layoutOf, machinesFor } from '../plan/layout.ts';
import { describeAddition } from '../plan/placement/addition.ts';
import { furtherPlaces } from '../plan/placement/further.ts';
import { type Place, reservedBytesPerNode } from '../plan/placement.ts';
import { shardTopology } from '../plan/topology.ts';
import type { Clock } from '../platform/clock.ts';
import type { CreateDatabase } from '../protocol/api.ts';
import type { Engines } from '../valkey/engines.ts';
import { aclMark, newPassword, userPasswords } from './acl.ts';
import { assignNodes, checkName, completeSpec, findPlaces, portsInUse } from './admission.ts';
import type { Agents } from './agents.ts';
import { checkRules } from './check-rules.ts';
import type { Databases } from './databases.ts';
import { endpointPort } from './endpoint-port.ts';

const AGENT_TIMEOUT_MS = 5_000;

export interface GrantSurroundings {
  agents: Agents;
  clock: Clock;
  databases: Databases;
  engines: Engines;
  machines: () => readonly MachineView[];
}

/** Its requests run one after the other: what one was granted, the next must find in the records. */
export class Grants {
  readonly #around: GrantSurroundings;

  constructor(around: GrantSurroundings) {
    this.#around = around;
  }

  /** The record of a database to be; nothing is stored. @throws what `ControlPlane.createDatabase` throws */
  async newDatabase({ name, spec: input }: CreateDatabase, idsFor: (count: number) => NodeId[]): Promise<Database> {
    checkName(name);
    if (this.#around.databases.find(name)) throw new ValkeeperError('database_exists', { name });
    const spec = await this.granted(completeSpec(input));
    const machines = this.#around.machines();
    const places = findPlaces(spec, machines);
    const ids = idsFor(places.length);
    const ports = await this.#freePorts(places, spec.port);
    const nodes: NodeAssignment[] = assignNodes(places, machines, ids, ports);
    const password = spec.auth ? newPassword() : null;
    const secrets = { password, adminPassword: newPassword(), users: userPasswords(spec.users) };
    return {
      name,
      uid: randomUUID(),
      spec,
      generation: 1,
      observedGeneration: 0,
      wantedPrimaries: {},
      overridden: {},
      reshard: null,
      restore: null,
      retired: [],
      createdAt: new Date(this.#around.clock.now()).toISOString(),
      deleting: false,
      secrets,
      aclMark: aclMark({ spec, secrets, restore: null }),
      nodes,
    };
  }

  /**
   * Nodes for further shards, each with as many replicas as the others have; nothing is stored.
   * @param now the spec by which memory is reserved
   * @throws no_room_for_copies, agent_away
   */
  async furtherNodes(
    database: Database,
    shards: readonly string[],
    now: DatabaseSpec,
    view: DatabaseView,
    idsFor: (count: number) => NodeId[],
  ): Promise<NodeAssignment[]> {
    if (shards.length === 0) return [];
    const wishes = Array.from({ length: 1 + now.replicas }, () => shards).flat();
    const found = headsFirst(this.placesFor(database, wishes, now, view), database, view);
    const ports = await this.#freePorts(found, now.port);
    return assignNodes(found, view.machines, idsFor(found.length), ports);
  }

  /**
   * Where one more copy of each of these shards would go; a shard may be named more than once.
   * @param now the spec by which memory is reserved
   * @throws no_room_for_copies
   */
  placesFor(database: Database, wishes: readonly string[], now: DatabaseSpec, view: DatabaseView): Place[] {
    const names = shardNames(database);
    const layout = layoutOf(
      database,
      names.map((name) => shardTopology(database, view, name)),
      view.machines,
    );
    const machines = machinesFor(database, view.machines);
    const { places, add } = furtherPlaces(wishes, layout, reservedBytesPerNode(now), machines);
    const missing = places.filter(({ machine }) => machine === null).length;
    if (missing > 0) {
      const figures = { nodes: wishes.length, missing, needed: formatSize(reservedBytesPerNode(now)) };
      const advice = add ? `Add ${describeAddition(add)}` : 'Add machines';
      throw new ValkeeperError('no_room_for_copies', { name: database.name, ...figures, advice });
    }
    // None is born with slots; who of a shard has the others for replicas is its primary.
    return places.map(({ shard, machine }) => ({ shard, machine: machine!, birth: { role: 'replica' } }));
  }

  /** The spec with a port of its own, once the engine has nothing against its users. @throws client_tls_unavailable, endpoint_port_taken, bad_rules */
  async granted(spec: DatabaseSpec, present?: Database): Promise<DatabaseSpec> {
    const wantsTls = spec.tls === 'required' && present?.spec.tls !== 'required';
    if (wantsTls && this.#around.agents.machines().every(({ tls }) => !tls)) {
      throw new ValkeeperError('client_tls_unavailable');
    }
    const all = this.#around.databases.all();
    const known = new Set(present?.spec.users.map(({ name, rules }) => `${name} ${rules}`));
    await checkRules(
      this.#around.engines,
      all,
      spec.users.filter(({ name, rules }) => !known.has(`${name} ${rules}`)),
    );
    if (spec.port !== ANY_PORT && spec.port === present?.spec.port) return spec;
    return { ...spec, port: await endpointPort(this.#around.agents, all, spec.port, present) };
  }

  /** Gives a port to databases that have none, as records of a time before endpoints. */
  async givePorts(): Promise<void> {
    const { agents, databases } = this.#around;
    for (const { name, spec } of databases.all().filter((one) => one.spec.port === ANY_PORT)) {
      const port = await endpointPort(agents, databases.all(), spec.port);
      await databases.change(name, (record) => ({ ...record, spec: { ...record.spec, port } }));
    }
  }

  /** Ports that are free on each machine now, as many as it gets nodes. */
  async #freePorts(places: readonly { machine: string }[], endpointPort: number): Promise<Map<string, number[]>> {
    const { agents } = this.#around;
    const machines = [...new Set(places.map(({ machine }) => machine))];
    const found = machines.map(async (machine) => {
      const count = places.filter((place) => place.machine === machine).length;
      const avoid = [
        ...portsInUse(machine, this.#around.databases.all()),
        endpointPort,
        endpointPort - BUS_PORT_OFFSET,
      ];
      const { ports } = await agents.request(machine, 'free_ports', { count, avoid }, AGENT_TIMEOUT_MS);
      return [machine, ports] as const;
    });
    return new Map(await Promise.all(found));
  }
}

/** The first node of a new shard becomes its primary: it lies where the fewest primaries are. */
function headsFirst(places: readonly Place[], database: Database, view: DatabaseView): Place[] {
  const primaries = new Map<string, number>();
  const count = (machine: string): number => primaries.get(machine) ?? 0;
  const note = (machine: string): void => void primaries.set(machine, count(machine) + 1);
  for (const name of shardNames(database)) {
    const { owner } = shardTopology(database, view, name);
    if (owner) note(owner.assignment.machine);
  }
  return [...Map.groupBy(places, ({ shard }) => shard).values()].flatMap((ofShard) => {
    const ordered = ofShard.toSorted((a, b) => count(a.machine) - count(b.machine));
    note(ordered[0]!.machine);
    return ordered;
  });
}
