/**
 * The fleet of a run, as whoever runs it sees it: hosts, processes and what the commands tell. The control plane is on
 * the first host, machines on the next, clients on the last. A machine's data folder is a disk of its own (tmpfs).
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { countSlots, SLOT_COUNT, type SlotRange } from '../../src/domain/slots.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { PasswordDocument } from '../../src/protocol/api.ts';
import type { Host } from '../support/hosts.ts';
import { JoinedFleet, type Running } from '../support/joined-fleet.ts';
import { processesUnder } from '../support/leaks.ts';
import { ensureFaultTools } from '../support/net-faults.ts';
import { type ClientDatabase, Clients } from './clients.ts';
import { NothingToHit } from './faults/nothing-to-hit.ts';
import { Observer } from './observer.ts';
import type { Copy, Picture } from './picture.ts';
import type { ChaosDatabase, Scenario } from './scenario.ts';
import { WobblyClock } from './wobbly-clock.ts';

const DISK_SIZE = '384m';
const MACHINE_MEMORY = '1gb';
const SHARD_MEGABYTES = 16;

export class Stage {
  readonly scenario: Scenario;
  readonly observer: Observer;
  readonly clients: Clients;
  readonly databases: readonly ClientDatabase[];
  readonly #fleet: JoinedFleet;
  readonly #clock: WobblyClock;
  readonly #agents: Map<string, Running>;
  readonly #statuses = new Map<string, DatabaseStatus>();
  /** Nothing is started any more. */
  #closed = false;

  /** @param after takes what is to be done in the end, last first */
  static async open(scenario: Scenario, after: (clean: () => unknown) => void): Promise<Stage> {
    await ensureFaultTools();
    WobblyClock.sweep();
    after(() => WobblyClock.sweep());
    const { machines, databases } = scenario;
    const fleet = await JoinedFleet.start({ after } as never, 1 + machines.length + 1);
    const clock = await WobblyClock.make(fleet.dir);
    const agents = new Map<string, Running>();
    for (const [index, name] of machines.entries()) {
      const home = fleet.home(index + 1);
      mkdirSync(home);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE}`, 'tmpfs', home]);
      after(() => execFileSync('umount', ['--lazy', home]));
      if (name === scenario.wobbly) fleet.moreEnv.set(index + 1, clock.env);
      agents.set(name, await fleet.join(index + 1, name, '--memory', MACHINE_MEMORY));
    }
    const created: ClientDatabase[] = [];
    for (const database of databases) created.push(await createDatabase(fleet, database));
    const observer = new Observer(fleet.client);
    after(() => observer.close());
    const stage = new Stage(scenario, fleet, clock, agents, observer, created);
    after(() => stage.#close());
    await stage.look();
    return stage;
  }

  private constructor(
    scenario: Scenario,
    fleet: JoinedFleet,
    clock: WobblyClock,
    agents: Map<string, Running>,
    observer: Observer,
    databases: readonly ClientDatabase[],
  ) {
    this.scenario = scenario;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#agents = agents;
    this.observer = observer;
    this.databases = databases;
    this.clients = new Clients(scenario.seed, databases);
  }

  host(machine: string): Host {
    return this.#fleet.hosts[this.#indexOf(machine)]!;
  }
  get serverHost(): Host {
    return this.#fleet.hosts[0]!;
  }
  /** @throws NothingToHit */
  get serverPid(): number {
    return pidOf(this.#fleet.server, 'control plane');
  }
  /** Starts the control plane unless it runs. */
  async startServer(): Promise<void> {
    if (!this.#closed && hasEnded(this.#fleet.server)) await this.#fleet.startServer();
  }
  /** @throws NothingToHit */
  agentPid(machine: string): number {
    return pidOf(this.#agents.get(machine)!, `agent of ${machine}`);
  }
  /** Starts the agent of a machine unless it runs. */
  startAgent(machine: string): void {
    if (!this.#closed && hasEnded(this.#agents.get(machine)!))
      this.#agents.set(machine, this.#fleet.agent(this.#indexOf(machine)));
  }
  /** As a service manager does: one that could not start, on a full disk perhaps, is started again. */
  startAllAgents(): void {
    for (const machine of this.#agents.keys()) this.startAgent(machine);
  }
  /** Starts clients on a machine that is to have some. */
  async startClients(machine: string): Promise<void> {
    if (!this.#closed && this.scenario.clients.includes(machine)) await this.clients.start(this.host(machine), machine);
  }
  async startAllClients(): Promise<void> {
    await this.clients.start(this.#fleet.client, null);
    for (const machine of this.scenario.clients) await this.startClients(machine);
  }
  /** @throws NothingToHit */
  endpointPid(machine: string): number {
    const dir = join(this.dataDir(machine), 'machines', machine);
    const running = new Set(processesUnder(dir).map(({ pid }) => pid));
    const file = join(dir, 'endpoint-process.json');
    const { pid } = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }) : { pid: -1 };
    if (!running.has(pid)) throw new NothingToHit(`no endpoint runs on ${machine}`);
    return pid;
  }
  /** @throws NothingToHit */
  nodePid(copy: Copy): number {
    const [found] = processesUnder(this.nodeDir(copy));
    if (!found) throw new NothingToHit(`no process of ${copy.nodeId} runs`);
    return found.pid;
  }
  nodeDir({ machine, nodeId }: Copy): string {
    return join(this.dataDir(machine), 'machines', machine, 'nodes', nodeId);
  }
  dataDir(machine: string): string {
    return this.#fleet.home(this.#indexOf(machine));
  }
  /** Moves the clock of the machine whose clock can be moved. */
  setClock(seconds: number): void {
    this.#clock.set(seconds);
  }

  /** What the control plane publishes now, also kept as the last known. @throws Error when it does not answer */
  async status(database: string): Promise<DatabaseStatus> {
    const client = this.#fleet.home(this.#fleet.hosts.length - 1);
    const files = { ca: join(client, 'authority.pem'), token: join(client, 'token') };
    const status = await this.observer.ask('status', { url: this.#fleet.url, ...files, database });
    this.#statuses.set(database, status);
    return status;
  }

  /** Looks at all databases; the names of shards that are whole. Those of a database that is not told of are not. */
  async look(): Promise<string[]> {
    const whole = this.scenario.databases.map(async ({ name, replicas }) => {
      try {
        const { shards } = await this.status(name);
        return shards
          .filter((shard) => shard.primary?.state === 'running' && shard.replicas.length === replicas)
          .filter((shard) => shard.replicas.every(({ inSync, state }) => inSync && state === 'running'))
          .map(({ id }) => `${name}/${id}`);
      } catch {
        return []; // the control plane is away or cut off
      }
    });
    return (await Promise.all(whole)).flat();
  }

  /** As last observed. */
  get picture(): Picture {
    const { machines, wobbly, databases } = this.scenario;
    const limit = ({ acknowledgements, replicas }: ChaosDatabase): number => acknowledgements || replicas;
    return {
      ...{ machines, wobbly },
      limits: new Map(databases.map((database) => [database.name, limit(database)])),
      copies: [...this.#statuses.values()].flatMap(({ name, shards }) =>
        shards.flatMap(({ id, primary, replicas }) =>
          [primary, ...replicas].flatMap((node): Copy[] => {
            if (node === null) return [];
            const role = node === primary ? 'primary' : 'replica';
            return [{ database: name, shard: id, nodeId: node.nodeId, machine: node.machine, role }];
          }),
        ),
      ),
    };
  }

  /** Which shard has a slot, as last observed. */
  shardOf(database: string, slot: number): string {
    const shards = this.#statuses.get(database)?.shards ?? [];
    const found = shards.find(({ slots }) => slots.some(([from, to]) => slot >= from && slot <= to));
    return `${database}/${found?.id ?? 'nobody'}`;
  }

  /** Null when the database is ready and whole, and all of its nodes agree on one owner for each slot; else what is not. */
  async notWhole({ name, shards: wanted, replicas }: ChaosDatabase): Promise<string | null> {
    const { state, conditions, shards } = await this.status(name);
    if (state !== 'ready') return `${name} is ${state}: ${conditions.map(({ message }) => message).join(' ')}`;
    if (shards.length !== wanted) return `${name} has ${shards.length} shards of ${wanted}`;
    const short = shards.find(
      (shard) => !shard.primary || shard.replicas.filter((one) => one.inSync).length < replicas,
    );
    if (short) return `${name}/${short.id} lacks copies`;
    const slots = shards.flatMap((shard) => shard.slots);
    if (countSlots(slots) !== SLOT_COUNT || overlaps(slots)) return `${name} serves ${countSlots(slots)} slots`;
    const nodes = shards.flatMap((shard) => [shard.primary!, ...shard.replicas]);
    const folder = join(this.dataDir(this.scenario.machines[0]!), 'machines', this.scenario.machines[0]!);
    const said = await this.observer.ask('owners', {
      ...{ nodes, password: this.databases.find((one) => one.name === name)!.password },
      ...identityIn(folder),
    });
    const expected = shards
      .flatMap(({ slots, primary }) => slots.map(([a, b]) => `${a}-${b} ${primary!.nodeId}`))
      .sort();
    const other = said.findIndex((owners) => owners.join() !== expected.join());
    return other < 0 ? null : `${nodes[other]!.nodeId} of ${name} says ${said[other]}, the control plane ${expected}`;
  }

  /** Copies every log of the fleet, the files that say who a node is, its events, and what is published. */
  async keepLogs(dir: string): Promise<void> {
    for (const file of globSync(`${this.#fleet.dir}/host-*/**/{*.log,*.err,nodes.conf,node.json,valkey.conf}`))
      cpSync(file, join(dir, relative(this.#fleet.dir, file)), { recursive: true });
    const { stdout } = await this.#fleet.cli('events', '--limit', '1000', '--json');
    writeFileSync(join(dir, 'events.json'), stdout);
    for (const [name, status] of this.#statuses)
      writeFileSync(join(dir, `status-${name}.json`), JSON.stringify(status, null, 1));
  }

  #close(): void {
    this.#closed = true;
    this.clients.kill();
  }

  #indexOf(machine: string): number {
    return this.scenario.machines.indexOf(machine) + 1;
  }
}

const hasEnded = ({ exitCode, signalCode }: Running): boolean => exitCode !== null || signalCode !== null;

/** Of a process that has not ended, so that no other can have its number. */
function pidOf(process: Running, what: string): number {
  if (hasEnded(process)) throw new NothingToHit(`no ${what} runs`);
  return process.pid!;
}

const overlaps = (ranges: readonly SlotRange[]): boolean => {
  const sorted = [...ranges].sort(([a], [b]) => a - b);
  return sorted.some(([from], index) => index > 0 && from <= sorted[index - 1]![1]);
};

/** Certificate and authorities of the machine, as its nodes use them. */
function identityIn(folder: string): { identity: string; authorities: string } {
  const [conf] = globSync(join(folder, 'nodes', '*', 'valkey.conf'));
  if (conf === undefined)
    return { identity: join(folder, 'machine.pem'), authorities: join(folder, 'authorities.pem') };
  const text = readFileSync(conf, 'utf8');
  const of = (name: string): string => new RegExp(`^${name} "(.+)"$`, 'm').exec(text)![1]!;
  return { identity: of('tls-cert-file'), authorities: of('tls-ca-cert-file') };
}

async function createDatabase(fleet: JoinedFleet, database: ChaosDatabase): Promise<ClientDatabase> {
  const { name, shards, replicas, persistence, replaceAfterSeconds, durability, acknowledgements } = database;
  const words = {
    ...{ shards, replicas, persistence, memory: `${shards * SHARD_MEGABYTES}mb`, 'replace-after': replaceAfterSeconds },
    ...(durability === 'acknowledged' ? { durability, acknowledgements } : {}),
  };
  const flags = Object.entries(words).flatMap(([flag, value]) => [`--${flag}`, `${value}`]);
  const { endpoints } = await fleet.ask<DatabaseStatus>('db', 'create', name, ...flags);
  const { password } = await fleet.ask<PasswordDocument>('db', 'password', name);
  return { name, password, endpoints: endpoints.map(({ machine, host, port }) => ({ machine, host, port })) };
}
