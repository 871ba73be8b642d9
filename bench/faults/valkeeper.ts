/** Valkeeper as what faults are done to: a server, joined machines on hosts of their own, one database. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../../src/cli/client.ts';
import { keyInSlots } from '../../src/domain/key-slot.ts';
import type { DatabaseStatus, NodeStatus } from '../../src/domain/status.ts';
import { pathsIn } from '../../src/main/data-dir.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { JoinedFleet } from '../../test/support/joined-fleet.ts';
import type { Target } from './load-client.ts';
import type { Node, Shard, System } from './system.ts';
import { until } from './wait.ts';

const ACKNOWLEDGED_MS = 500;
const DATABASE = 'main';
/** What may be said of a database that is well: how few machines there are, and that no TLS is asked for. */
const STANDING = new Set(['open_to_all', 'copies_together', 'plain_text', 'zones_shared']);
/** Clients use the endpoint of this machine; it is never the one that is lost. */
const SERVING = 1;
const MACHINE_MEMORY = '1gb';

export class Valkeeper implements System {
  readonly name = 'Valkeeper';
  readonly spared = [SERVING];
  readonly fleet: JoinedFleet;
  readonly #machines: number;
  #client: Client | null = null;
  #status: DatabaseStatus | null = null;
  #password: string | null = null;
  #nodes = 0;

  private constructor(fleet: JoinedFleet, machines: number) {
    this.fleet = fleet;
    this.#machines = machines;
  }

  /** A server and so many machines. */
  static async start(t: { after: (clean: () => unknown) => void }, machines: number): Promise<Valkeeper> {
    const fleet = await JoinedFleet.start(t as never, 1 + machines + 1);
    fleet.client.plugIn();
    const system = new Valkeeper(fleet, machines);
    for (const machine of system.machines) await fleet.join(machine, nameOf(machine), '--memory', MACHINE_MEMORY);
    return system;
  }

  get hosts() {
    return this.fleet.hosts;
  }

  get clientHost() {
    return this.fleet.client;
  }

  get machines(): number[] {
    return Array.from({ length: this.#machines }, (_, index) => 1 + index);
  }

  get client(): Client {
    const home = this.fleet.home(this.hosts.length - 1);
    const [token, ca] = ['token', 'authority.pem'].map((file) => readFileSync(join(home, file), 'utf8').trim());
    this.#client ??= new Client({ dataDir: null, url: this.fleet.url, token: token!, ca: ca! });
    return this.#client;
  }

  /** Makes the database anew, as these options of `db create` say. */
  async database(shards: number, replicas: number, ...options: string[]): Promise<void> {
    await this.removeDatabase();
    const size = ['--shards', `${shards}`, '--replicas', `${replicas}`, '--memory', '192mb'];
    await this.fleet.ask('db', 'create', DATABASE, ...size, ...options);
    this.#nodes = shards * (1 + replicas);
    this.#password = (await this.client.password(DATABASE)).password;
    await this.whole([]);
  }

  async removeDatabase(): Promise<void> {
    const { databases } = await this.client.databases();
    if (databases.length === 0) return;
    await this.fleet.ask('db', 'delete', DATABASE, '--yes');
    await until('the database is gone', async () =>
      (await this.client.databases()).databases.length === 0 ? true : null,
    );
  }

  status(): Promise<DatabaseStatus> {
    return this.client.database(DATABASE);
  }

  async shards(): Promise<Shard[]> {
    const { shards } = await this.status();
    return shards.map(({ slots, primary, replicas }) => ({
      ...{ slots, primary: nodeOf(primary!), replicas: replicas.map(nodeOf) },
    }));
  }

  target(near = SERVING): Target {
    const { host, port } = this.#status!.endpoints.find(({ machine }) => machine === nameOf(near))!;
    return { kind: 'endpoint', host, port, password: this.#password };
  }

  /** As a machine of the fleet may: with its certificate, and with the administrator's password from its settings. */
  admin({ id, machine, host, port }: Node): NodeConnection {
    const paths = pathsIn(this.fleet.home(machine));
    const conf = readFileSync(join(this.#folderOf(machine, id), 'valkey.conf'), 'utf8');
    const setting = (name: string): string => new RegExp(`^${name} "(.*)"$`, 'm').exec(conf)![1]!;
    const identity = readFileSync(paths.credentials.identity);
    const tls = { cert: identity, key: identity, ca: readFileSync(paths.credentials.authorities) };
    return new NodeConnection({
      ...{ host, port, username: setting('primaryuser'), password: setting('primaryauth') },
      ...{ connectTimeoutMs: 2_000, commandTimeoutMs: 2_000, maxQueued: 1_000 },
      tls: () => ({ ...tls, checkServerIdentity: () => undefined }),
    });
  }

  #folderOf(machine: number, id: string): string {
    return join(pathsIn(this.fleet.home(machine)).machine(nameOf(machine)), 'nodes', id);
  }

  /** Its agent does that. */
  async revive(): Promise<void> {}

  async powerOn(machine: number): Promise<void> {
    this.fleet.agent(machine);
  }

  async whole(gone: readonly number[]): Promise<void> {
    this.#status = await until('the database is whole', async () => {
      const status = await this.status();
      const nodes = status.shards.flatMap(({ primary, replicas }) => [primary, ...replicas]);
      const present = nodes.filter(
        (node) => node?.state === 'running' && node.pid !== null && !gone.includes(node.pid),
      );
      const settled = status.state === 'ready' && status.conditions.every(({ code }) => STANDING.has(code));
      if (!settled || present.length !== this.#nodes || present.length !== nodes.length) return null;
      const { machines } = await this.client.machines();
      return machines.every(({ connected }) => connected) ? status : null;
    });
    for (const shard of await this.shards()) await until('replicas acknowledge', () => this.#acknowledges(shard));
  }

  /** A link that is up may yet carry nothing for seconds, after its cable was mended. */
  async #acknowledges({ slots, primary, replicas }: Shard): Promise<true | null> {
    const key = keyInSlots('whole:', slots);
    const connection = this.admin(primary);
    try {
      const marker = [
        ['SET', key, ''],
        ['DEL', key],
        ['WAIT', replicas.length, ACKNOWLEDGED_MS],
      ] as const;
      return Number((await connection.pipeline(marker)).at(-1)) === replicas.length ? true : null;
    } finally {
      connection.close();
    }
  }

  async killServer(): Promise<void> {
    const { server } = this.fleet;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    this.hosts[0]!.losePower();
    await ended;
  }

  async startServer(): Promise<void> {
    await this.fleet.startServer();
    this.#client = null;
    await until('the server answers', async () => await this.client.status());
  }
}

/** The name of the machine at this place among the hosts. */
const nameOf = (machine: number): string => `m${machine}`;

function nodeOf({ nodeId, pid, machine, host, port }: NodeStatus): Node {
  return { id: nodeId, pid: pid!, machine: Number(machine.slice(1)), host, port };
}
