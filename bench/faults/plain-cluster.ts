/** The engine left to itself: a cluster of three primaries with a replica each on three machines, with the engine's own failover. */
import type { ClusterNodeLine } from '../../src/valkey/cluster-nodes.ts';
import { isMyself, parseClusterNodes } from '../../src/valkey/cluster-nodes.ts';
import type { NodeConnection } from '../../src/valkey/connection.ts';
import type { Target } from './load-client.ts';
import { COMMON, PlainServers } from './plain-servers.ts';
import type { Node, Shard, System } from './system.ts';
import { until } from './wait.ts';

const SHARDS = 3;
const MACHINES = 3;
const FIRST_PORT = 7_001;
const LAST_SLOT = 16_383;
const BUS_OFFSET = 10_000;

interface Member {
  name: string;
  machine: number;
  host: string;
  port: number;
  connection: NodeConnection;
}

export class PlainCluster implements System {
  readonly name: string;
  readonly spared = [];
  readonly #servers: PlainServers;
  readonly #members: Member[] = [];
  /** Who was made a primary, in the order of slots: on a machine each. */
  #first: readonly string[] = [];

  private constructor(name: string, servers: PlainServers) {
    this.name = name;
    this.#servers = servers;
  }

  /** Made, and in sync. */
  static async start(
    t: { after: (clean: () => unknown) => void },
    serverPath: string,
    nodeTimeoutMs: number,
  ): Promise<PlainCluster> {
    const servers = new PlainServers(t, 1 + MACHINES + 1, serverPath);
    const system = new PlainCluster(`engine alone, ${nodeTimeoutMs / 1000} s`, servers);
    for (let index = 0; index < 2 * SHARDS; index += 1) system.#start(index, nodeTimeoutMs);
    t.after(() => system.#members.map(({ connection }) => connection.close()));
    await system.#form();
    return system;
  }

  get hosts() {
    return this.#servers.hosts;
  }

  get clientHost() {
    return this.hosts.at(-1)!;
  }

  /** Primaries on a machine each, each replica on the next machine. */
  #start(index: number, nodeTimeoutMs: number): void {
    const machine = 1 + ((index < SHARDS ? index : index + 1) % MACHINES);
    const port = FIRST_PORT + index;
    const name = `node-${index}`;
    const { folder, program } = this.#servers.prepare(name);
    const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', `${nodeTimeoutMs}`];
    const more = ['--cluster-require-full-coverage', 'no', '--cluster-allow-replica-migration', 'no'];
    this.#servers.add(name, machine, folder, [program, '--port', `${port}`, ...COMMON, ...cluster, ...more]);
    const { address: host } = this.hosts[machine]!;
    this.#members.push({ name, machine, host, port, connection: this.#servers.connect({ host, port }) });
  }

  async #form(): Promise<void> {
    for (const member of this.#members) await this.#servers.answering(member);
    const lines = await Promise.all(this.#members.map((member) => this.#linesOf(member)));
    this.#first = lines.slice(0, SHARDS).map((all) => all.find(isMyself)!.id);
    for (const [index, { connection }] of this.#members.entries()) {
      await connection.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const { connection } of this.#members) {
      for (const { host, port } of this.#members) {
        await connection.command('CLUSTER', 'MEET', host, port, port + BUS_OFFSET);
      }
    }
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const from = Math.ceil(((LAST_SLOT + 1) * shard) / SHARDS);
      const to = Math.ceil(((LAST_SLOT + 1) * (shard + 1)) / SHARDS) - 1;
      await this.#members[shard]!.connection.command('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const { connection } = this.#members[SHARDS + shard]!;
      await until('the replica has met its primary', async () =>
        connection.command('CLUSTER', 'REPLICATE', this.#first[shard]!),
      );
    }
    await this.whole();
  }

  async #linesOf({ connection }: Member): Promise<ClusterNodeLine[]> {
    return parseClusterNodes(String(await connection.command('CLUSTER', 'NODES')));
  }

  async shards(): Promise<Shard[]> {
    const lines = await this.#linesOf(this.#members[0]!);
    const nodeOf = ({ id, host, port }: ClusterNodeLine): Node => {
      const { name, machine } = this.#members.find((member) => member.port === port)!;
      return { id, host, port, machine, pid: this.#servers.pid(name) };
    };
    const owners = lines.filter(({ role, slots }) => role === 'primary' && slots.length > 0);
    return owners
      .sort((a, b) => a.slots[0]![0] - b.slots[0]![0])
      .map((owner) => ({
        slots: owner.slots,
        primary: nodeOf(owner),
        replicas: lines.filter(({ primaryId }) => primaryId === owner.id).map(nodeOf),
      }));
  }

  target(near?: number): Target {
    const named = this.#members.filter(({ machine }) => near === undefined || machine === near);
    return { kind: 'cluster', nodes: named.map(({ host, port }) => ({ host, port })) };
  }

  admin(node: Node): NodeConnection {
    return this.#servers.connect(node);
  }

  async revive({ port }: Node): Promise<void> {
    this.#servers.start(this.#members.find((member) => member.port === port)!.name);
  }

  async powerOn(machine: number): Promise<void> {
    this.#servers.startAll(machine);
  }

  /** Primaries are put back to a machine each: nobody else does that, and a machine with two of them takes a majority along. */
  async whole(): Promise<void> {
    await until('the cluster is whole', async () => {
      const all = await Promise.all(this.#members.map((member) => this.#linesOf(member)));
      const agree = all.every((lines) => isWhole(lines));
      if (!agree || !(await this.#inSync())) return null;
      const own = all.map((lines) => lines.find(isMyself)!);
      const misplaced = own.findIndex(({ id, role }) => role === 'replica' && this.#first.includes(id));
      if (misplaced < 0) return true;
      await this.#members[misplaced]!.connection.command('CLUSTER', 'FAILOVER');
      return null;
    });
  }

  async #inSync(): Promise<boolean> {
    const infos = await Promise.all(
      this.#members.map(async ({ connection }) => String(await connection.command('INFO', 'replication'))),
    );
    return infos.every(
      (info) => /master_link_status:up/.test(info) || /connected_slaves:1\b[\s\S]*state=online/.test(info),
    );
  }
}

function isWhole(lines: readonly ClusterNodeLine[]): boolean {
  const owners = lines.filter(({ role, slots }) => role === 'primary' && slots.length > 0);
  const owned = owners.flatMap(({ slots }) => slots).reduce((sum, [from, to]) => sum + to - from + 1, 0);
  const well = lines.every(({ flags }) => !flags.some((flag) => /^(?:fail\??|handshake|noaddr)$/.test(flag)));
  return well && lines.length === 2 * SHARDS && owners.length === SHARDS && owned === LAST_SLOT + 1;
}
