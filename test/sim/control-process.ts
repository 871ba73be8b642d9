/**
 * The control plane's process: the real registry of agents, observer, planner, executor and reconciler on virtual time.
 * When it is killed, nothing it had begun goes on in it; what it had sent is on its way.
 */
import { aclMark } from '../../src/control/acl.ts';
import { assignNodes, completeSpec, findPlaces, portsInUse } from '../../src/control/admission.ts';
import { type AgentSession, type AgentSocket, Agents } from '../../src/control/agents.ts';
import { Databases } from '../../src/control/databases.ts';
import { Fleet } from '../../src/control/fleet.ts';
import { Guards } from '../../src/control/guards.ts';
import { Machines } from '../../src/control/machines.ts';
import { Observer } from '../../src/control/observer.ts';
import { QuietNodes } from '../../src/control/quiet-nodes.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { SlotRates } from '../../src/control/slot-rates.ts';
import { changedSpec, withSpec } from '../../src/control/update.ts';
import { VoterRecord, Voters } from '../../src/control/voters.ts';
import { type Database, isOn } from '../../src/domain/database.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import type { DatabaseSpec } from '../../src/domain/spec.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { DatabaseView, MachineState } from '../../src/domain/view.ts';
import type { Place } from '../../src/plan/placement.ts';
import type { Planner } from '../../src/plan/plan.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { Logger } from '../../src/platform/log.ts';
import type { SpecInput } from '../../src/protocol/api.ts';
import type { Store } from '../../src/store/store.ts';
import { Engines } from '../../src/valkey/engines.ts';
import { type ConnectionSurroundings, ModelConnection } from './connection.ts';
import type { ControlEnd, Machine } from './machine.ts';
import { agentOf, CONTROL, type Network } from './network.ts';
import { processClock } from './process-clock.ts';
import type { Timeline } from './timeline.ts';

/** How often serveAgents asks for a sign of life; an agent silent between two questions is away. */
const PING_INTERVAL_MS = 5_000;
const AGENT_TIMEOUT_MS = 5_000;
const silent = (): void => {};
const NO_LOG: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => NO_LOG };
const SECRETS = { password: 'p', adminPassword: 'a', users: {} };

export interface ControlSurroundings
  extends Pick<ConnectionSurroundings, 'engineAt' | 'machineAt' | 'hasPower' | 'network'> {
  timeline: Timeline;
  network: Network;
  store: Store;
  plan: Planner;
  /** Where a database's nodes go, after the real placement. */
  arrange: (places: Place[]) => Place[];
  recorded(event: NewEvent): void;
  /** Agents act by themselves, and are told what they need for it. */
  guarded: boolean;
  /** A name for a node more, from the seed. */
  newNodeId(): string;
}

export class ControlProcess {
  alive = true;
  readonly #around: ControlSurroundings;
  readonly #clock: Clock;
  readonly #agents: Agents;
  readonly #engines: Engines;
  readonly #databases: Databases;
  readonly #observer: Observer;
  readonly #machines: Machines;
  readonly #fleet: Fleet;
  readonly #loops = new Map<string, Reconciler>();

  /** Reads the records and begins to look after every database. */
  static async start(around: ControlSurroundings): Promise<ControlProcess> {
    const { store } = around;
    const [databases, machines] = [await Databases.open(store), await Machines.open(store)];
    const control = new ControlProcess(around, databases, machines);
    if (around.guarded) control.#tellAgents(await VoterRecord.open(store));
    return control;
  }

  private constructor(around: ControlSurroundings, databases: Databases, machines: Machines) {
    this.#around = around;
    this.#machines = machines;
    this.#databases = databases;
    this.#clock = processClock(around.timeline, () => this.alive, Math.floor);
    this.#agents = new Agents(this.#clock);
    const { engineAt, machineAt, hasPower, network, timeline } = around;
    const isAlive = (): boolean => this.alive;
    const woke = (): void => timeline.woke();
    const connection = { clock: this.#clock, place: CONTROL, network, engineAt, machineAt, hasPower, isAlive, woke };
    this.#engines = new Engines(null, (options) => new ModelConnection(options, connection));
    this.#observer = new Observer({
      agents: this.#agents,
      engines: this.#engines,
      clock: this.#clock,
      machines: () => this.#fleet.views(),
    });
    this.#fleet = new Fleet({
      agents: this.#agents,
      machines,
      clock: this.#clock,
      databases,
      record: (event) => this.#record(event),
      changed: () => this.#wakeAll(),
    });
    this.#agents.on('machine', (machine) => {
      for (const database of databases.all()) if (isOn(database, machine.name)) this.#loops.get(database.name)?.wake();
      if (machine.connected) void this.#fleet.seen(machine);
    });
    this.#agents.on('node', () => this.#wakeAll());
    for (const { name } of databases.all()) this.#lookAfter(name);
  }

  /** As `Telling`: who votes, and what each agent guards. */
  #tellAgents(record: VoterRecord): void {
    const log = NO_LOG;
    const all = { agents: this.#agents, clock: this.#clock, log };
    const guards = new Guards({ ...all, databases: () => this.#databases.all() });
    const voters = new Voters({ ...all, record, machines: () => this.#machines.all() });
    this.#databases.changed = () => guards.changed();
    this.#machines.changed = () => voters.changed();
    this.#agents.on('machine', ({ name }) => {
      for (const teller of [guards, voters]) {
        teller.forget(name);
        teller.changed();
      }
    });
  }

  kill(): void {
    this.alive = false;
    this.#agents.removeAllListeners();
  }

  status(name: string): DatabaseStatus | null {
    return this.#loops.get(name)?.status ?? null;
  }

  database(name: string): Database | undefined {
    return this.#databases.find(name);
  }

  /** A look of its own. */
  view(name: string): Promise<DatabaseView> {
    return this.#observer.observe(this.#databases.get(name));
  }

  connectedAgents(): number {
    return this.#agents.machines().filter(({ connected }) => connected).length;
  }

  /** Whether the control plane has a record of the machine. */
  knows(machine: string): boolean {
    return this.#machines.find(machine) !== undefined;
  }

  /** As `Fleet.drain` and `Fleet.resume`, whatever stands in the way. */
  async setState(machine: string, state: MachineState): Promise<void> {
    await this.#machines.change(machine, (record) => ({ ...record, state }));
    this.#wakeAll();
  }

  /** As the control plane's own: one after the other. */
  #oneByOne<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#reserving.then(work);
    this.#reserving = result.catch(() => {});
    return result;
  }
  #reserving: Promise<unknown> = Promise.resolve();

  #record(event: NewEvent): void {
    if (this.alive) this.#around.recorded(event);
  }

  /** As `ControlPlane.createDatabase`, with names from the seed. */
  async createDatabase(name: string, wish: Partial<DatabaseSpec>, ids: readonly string[]): Promise<void> {
    const spec = completeSpec(wish);
    const machines = this.#fleet.views();
    const places = this.#around.arrange(findPlaces(spec, machines));
    const ports = new Map<string, readonly number[]>();
    for (const machine of new Set(places.map((place) => place.machine))) {
      const count = places.filter((place) => place.machine === machine).length;
      const avoid = portsInUse(machine, this.#databases.all());
      const answer = await this.#agents.request(machine, 'free_ports', { count, avoid }, AGENT_TIMEOUT_MS);
      ports.set(machine, answer.ports);
    }
    await this.#databases.add({
      name,
      uid: `uid of ${name}`,
      spec,
      generation: 1,
      observedGeneration: 0,
      wantedPrimaries: {},
      overridden: {},
      reshard: null,
      restore: null,
      retired: [],
      createdAt: new Date(this.#clock.now()).toISOString(),
      deleting: false,
      secrets: SECRETS,
      aclMark: aclMark({ spec, secrets: SECRETS, restore: null }),
      nodes: assignNodes(places, machines, ids, ports),
    });
    this.#lookAfter(name);
  }

  /** As `ControlPlane.updateDatabase`; what would not fit is never asked for here. */
  async updateDatabase(name: string, input: SpecInput): Promise<void> {
    await this.#databases.change(name, (record) => withSpec(record, changedSpec(record, input)));
    this.#loops.get(name)?.wake();
  }

  async deleteDatabase(name: string): Promise<void> {
    await this.#databases.change(name, (record) => ({ ...record, deleting: true }));
    this.#loops.get(name)?.wake();
  }

  /** An agent has connected; as serveAgents does it with a WebSocket. */
  welcome(machine: Machine, socket: AgentSocket): ControlEnd {
    const { network, timeline } = this.#around;
    let session: AgentSession | null = null;
    let heard = true;
    let open = true;
    const closed = (): void => {
      if (!open) return;
      open = false;
      if (!this.alive || !session) return;
      timeline.woke();
      this.#agents.left(session);
      session.close('closed');
    };
    timeline.every(PING_INTERVAL_MS, PING_INTERVAL_MS, () => {
      if (!open || !this.alive) return false;
      if (!heard) {
        socket.close();
        closed();
        return false;
      }
      heard = false;
      network.stream(CONTROL, agentOf(machine.name), () =>
        machine.pinged(() => {
          heard = true;
        }),
      );
      return true;
    });
    return {
      received: (message) => {
        if (!open || !this.alive) return;
        heard = true;
        timeline.woke();
        if (message.type === 'hello') session = this.#agents.welcome(socket, message);
        else if (message.type === 'reply') session?.answered(message);
        else if (session) this.#agents.heard(session.machine, message);
      },
      closed,
    };
  }

  #lookAfter(name: string): void {
    const loop = new Reconciler(name, {
      agents: this.#agents,
      clock: this.#clock,
      databases: this.#databases,
      engines: this.#engines,
      observer: this.#observer,
      seeds: { deliver: async () => {} }, // none begins with data here
      ...{ slotRates: new SlotRates(), quietNodes: new QuietNodes() },
      machines: () => this.#fleet.views(),
      newNodeId: () => this.#around.newNodeId(),
      oneByOne: (work) => this.#oneByOne(work),
      plan: this.#around.plan,
      record: (event) => this.#record(event),
      isStopping: () => false,
    });
    this.#loops.set(name, loop);
    loop.wake();
  }

  #wakeAll(): void {
    for (const loop of this.#loops.values()) loop.wake();
  }
}
