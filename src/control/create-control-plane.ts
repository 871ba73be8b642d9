/** Makes a control plane from a store and connected agents: one loop a database, and the public face over them. */
import { type Database, isOn } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { Event, NewEvent } from '../domain/event.ts';
import type { FailoverRecord } from '../domain/failover.ts';
import type { PlacementExplanation } from '../domain/placement.ts';
import { ANY_PORT } from '../domain/spec.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import { endpointProblem } from '../plan/endpoints.ts';
import { explainPlacement } from '../plan/placement/explain.ts';
import { plan } from '../plan/plan.ts';
import type {
  AuthoritiesDocument,
  CreateDatabase,
  FleetStatus,
  LogDocument,
  PasswordDocument,
  PlanDocument,
  PlanRequest,
  RestartedEndpoints,
  SpecInput,
} from '../protocol/api.ts';
import type { RestoreWish } from '../protocol/backup-api.ts';
import { Engines } from '../valkey/engines.ts';
import { tellOfAgents } from './agent-events.ts';
import { authoritiesOf } from './authorities.ts';
import { BackupDesk } from './backups/desk.ts';
import { connectWhile } from './connect-while.ts';
import type { ControlPlane, EventQuery, SpecVersion } from './control-plane.ts';
import type { Databases } from './databases.ts';
import { createEntrance, type Entrance } from './entrance.ts';
import { Failovers } from './failovers.ts';
import { Fleet } from './fleet.ts';
import { Grants } from './grants.ts';
import { JobTimes } from './job-times.ts';
import type { JoinTokens } from './join-tokens.ts';
import { sinceThen, unseenStatus } from './known-status.ts';
import type { LastPrimaries } from './last-primaries.ts';
import { remoteLog } from './logs.ts';
import { LookTimer } from './look-times.ts';
import { Observer } from './observer.ts';
import { passwordOf } from './password-of.ts';
import type { ControlPlaneOptions } from './plane-options.ts';
import { openRecords, type PlaneRecords } from './plane-records.ts';
import { newNodeId } from './planned-ids.ts';
import { PrimaryWishes } from './primary-wishes.ts';
import { QuietNodes } from './quiet-nodes.ts';
import { Rebalances } from './rebalances.ts';
import { Reconciler } from './reconciler.ts';
import { recorder } from './recorder.ts';
import { Reshards } from './reshards.ts';
import { ALONE } from './servers.ts';
import { requireDataOnDisk, stopMachines } from './shut-down.ts';
import { SlotRates } from './slot-rates.ts';
import { type Allow, SpecChanges } from './spec-changes.ts';
import { Telling } from './telling.ts';

/** After the first agent the others come within this time. */
const ARRIVAL_MS = 3_000;

type EndpointRestart = Parameters<ControlPlane['restartEndpoints']>[0];

/** What the owner of a control plane needs beside its public face. */
export interface RunningControlPlane extends ControlPlane {
  readonly entrance: Entrance;
  /** Stops looking after databases; agents and nodes go on. */
  close(): Promise<void>;
}

/** Reads the records and begins to look after every database. */
export async function createControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const plane = new Plane(options, await openRecords(options.store, options.log));
  plane.begin();
  return plane;
}

class Plane implements RunningControlPlane {
  readonly fleet: Fleet;
  readonly joinTokens: JoinTokens;
  readonly switchOver: ControlPlane['switchOver'];
  readonly takeOver: ControlPlane['takeOver'];
  readonly reshard: ControlPlane['reshard'];
  readonly rebalance: ControlPlane['rebalance'];
  readonly hotspots: ControlPlane['hotspots'];
  readonly backups: ControlPlane['backups'];
  readonly exports: ControlPlane['exports'];
  readonly archives: ControlPlane['archives'];
  readonly backupSchedules: ControlPlane['backupSchedules'];
  readonly entrance: Entrance;
  readonly #options: ControlPlaneOptions;
  readonly #record: (event: NewEvent) => void;
  readonly #failovers: Failovers;
  readonly #databases: Databases;
  readonly #primaries: LastPrimaries;
  readonly #engines: Engines;
  readonly #observer: Observer;
  readonly #loops = new Map<string, Reconciler>();
  readonly #telling: Telling;
  readonly #grants: Grants;
  readonly #specs: SpecChanges;
  readonly #desk: BackupDesk;
  readonly #looks = new LookTimer();
  readonly #jobTimes = new JobTimes();
  readonly #quietNodes = new QuietNodes();
  readonly #startedAt: string;
  #stopping = false;
  /** Requests that reserve room or names run one after the other. */
  #admissions: Promise<unknown> = Promise.resolve();

  constructor(options: ControlPlaneOptions, records: PlaneRecords) {
    const { databases, machines, primaries, voters } = records;
    this.#options = options;
    this.#record = recorder(options);
    this.#databases = databases;
    this.#primaries = primaries;
    this.#engines = new Engines(options.credentials, options.mayAct && connectWhile(options.mayAct));
    const { agents, clock, log } = options;
    this.fleet = new Fleet({
      agents,
      machines,
      clock,
      databases,
      record: this.#record,
      changed: () => this.#wakeAll(),
    });
    const views = () => this.fleet.views();
    this.#observer = new Observer({ agents, engines: this.#engines, clock, machines: views });
    this.#telling = new Telling({ agents, clock, log }, databases, machines, voters);
    this.#grants = new Grants({ agents, clock, databases, engines: this.#engines, machines: views });
    const wishing = {
      ...{ databases, clock, record: this.#record },
      wake: (name: string) => this.#loops.get(name)?.wake(),
      requireRunning: () => this.#refuseWhileStopping(),
    };
    const around = { ...wishing, engines: this.#engines, grants: this.#grants };
    const resharding = {
      ...around,
      ...{ jobTimes: this.#jobTimes, quietNodes: this.#quietNodes },
      statusOf: (database: Database) => this.#statusOf(database),
    };
    const reshards = new Reshards(resharding);
    const rebalances = new Rebalances({ ...resharding, observer: this.#observer });
    this.#specs = new SpecChanges({
      ...{ ...wishing, grants: this.#grants, observer: this.#observer, reshards },
      endpointsChanged: () => this.#telling.endpoints.changed(),
      lookAfter: (name) => this.#lookAfter(name),
    });
    this.#desk = new BackupDesk({
      ...{ options, records, engines: this.#engines, observer: this.#observer, specs: this.#specs },
      ...{ record: this.#record, requireRunning: wishing.requireRunning, oneByOne: (work) => this.#oneByOne(work) },
    });
    this.backups = this.#desk.backups;
    this.exports = this.#desk.exports;
    this.archives = this.#desk.archives;
    this.backupSchedules = this.#desk.schedules;
    const wishes = new PrimaryWishes({ ...wishing, observer: this.#observer });
    this.reshard = reshards.act.bind(reshards);
    this.rebalance = rebalances.rebalance.bind(rebalances);
    this.hotspots = rebalances.hotspots.bind(rebalances);
    this.switchOver = wishes.switchOver.bind(wishes);
    this.takeOver = wishes.takeOver.bind(wishes);
    this.#failovers = new Failovers({
      ...{ agents, store: options.store, databases, record: this.#record, clock: options.clock, log },
      longestWait: (uid, node) => this.#telling.endpoints.waited(uid, node),
    });
    this.#startedAt = new Date(options.clock.now()).toISOString();
    this.entrance = createEntrance(options, machines, this.#record);
    this.joinTokens = this.entrance.tokens;
  }

  begin(): void {
    const { agents, log } = this.#options;
    agents.admits = (hello, caller) => this.fleet.admits(hello, caller);
    tellOfAgents(agents, this.entrance.refusals, this.#record, () => this.#stopping);
    agents.on('machine', (machine) => {
      const { name, connected } = machine;
      // To the others it takes and gives nothing at once: their next look sees it. In a large fleet somebody always comes or goes.
      this.#wake((database) => isOn(database, name));
      this.#telling.cameOrWent(name);
      if (!connected) return;
      this.#givePorts();
      this.fleet.seen(machine).catch((error: unknown) => log.error({ err: error, machine: name }, 'not recorded'));
    });
    agents.on('endpoint', (before, now) => {
      this.#wake(({ uid, spec: { port } }) => endpointProblem(before, uid, port) !== endpointProblem(now, uid, port));
    });
    agents.on('node', (uid, id) => {
      const database = this.#databases.all().find((other) => other.uid === uid);
      if (!database) return;
      const node = database.nodes.find((one) => one.id === id);
      const loop = this.#loops.get(database.name);
      if (node && agents.isGone(node)) loop?.wakeAfterEnd();
      else loop?.wake();
    });
    for (const { name } of this.#databases.all()) this.#lookAfter(name);
    this.#desk.begin();
  }

  status(): FleetStatus {
    const { version, dataDir, engineVersion } = this.#options;
    return {
      version,
      pid: process.pid,
      startedAt: this.#startedAt,
      dataDir,
      engineVersion,
      stopping: this.#stopping,
      machines: this.fleet.statuses(),
      databases: this.databases().map(({ name, state }) => ({ name, state })),
      looks: this.#looks.times,
      servers: this.#options.servers?.() ?? ALONE,
    };
  }

  databases(): DatabaseStatus[] {
    return this.#databases.all().map((database) => this.#statusOf(database));
  }

  database(name: string): DatabaseStatus {
    return this.#statusOf(this.#databases.get(name));
  }

  createDatabase(request: CreateDatabase): Promise<DatabaseStatus> {
    return this.#changing(() => this.#specs.create(request));
  }

  async deleteDatabase(name: string, allow: (present: SpecVersion) => void = () => {}): Promise<DatabaseStatus> {
    this.#refuseWhileStopping();
    const database = await this.#databases.change(name, (record) => {
      allow(record);
      return { ...record, deleting: true };
    });
    this.#telling.endpoints.changed();
    this.#record({ kind: 'database_unwanted', severity: 'info', database: name, message: `${name} is to be deleted.` });
    this.#loops.get(name)?.wake();
    return { ...this.#statusOf(database), state: 'deleting' };
  }

  async restore(wish: RestoreWish): Promise<DatabaseStatus> {
    this.#refuseWhileStopping();
    return this.#statusOf(await this.#desk.restores.restore(wish));
  }

  updateDatabase(name: string, input: SpecInput, allow: Allow = () => {}): Promise<DatabaseStatus> {
    return this.#changing(() => this.#specs.update(name, input, allow));
  }

  putDatabase(name: string, input: SpecInput, allow: Allow = () => {}): Promise<DatabaseStatus> {
    return this.#changing(() => this.#specs.put(name, input, allow));
  }

  #changing(work: () => Promise<Database>): Promise<DatabaseStatus> {
    return this.#oneByOne(async () => this.#statusOf(await work()));
  }

  async explain(name: string): Promise<PlacementExplanation> {
    const database = this.#databases.get(name);
    return explainPlacement(database, await this.#observer.observe(database));
  }

  authorities(): AuthoritiesDocument {
    return authoritiesOf(this.#options.credentials);
  }

  password(name: string, user: string): PasswordDocument {
    return passwordOf(this.#databases.get(name), user);
  }

  restartEndpoints({ machine, drainSeconds }: EndpointRestart): Promise<RestartedEndpoints> {
    this.#refuseWhileStopping();
    return this.#telling.endpoints.replace(machine, drainSeconds * 1_000);
  }

  failoversOf(name: string): Promise<FailoverRecord[]> {
    return this.#failovers.list(this.#databases.get(name));
  }

  plan(request: PlanRequest): Promise<PlanDocument> {
    return this.#specs.plan(request);
  }

  events(query: EventQuery): Promise<Event[]> {
    return this.#options.events.list(query);
  }

  followEvents(listener: (event: Event) => void): () => void {
    return this.#options.events.subscribe(listener);
  }

  async log(source: string, lines: number): Promise<LogDocument> {
    if (source === 'server') return { source, text: await this.#options.readOwnLog(lines) };
    return remoteLog(this.#options.agents, this.#databases.all(), source, lines);
  }

  async shutDown({ loseUnsavedData }: { loseUnsavedData: boolean }): Promise<void> {
    if (!loseUnsavedData) requireDataOnDisk(this.#databases.all());
    this.#stopping = true;
    this.#record({ kind: 'fleet_stopping', severity: 'info', message: 'All nodes and agents are being stopped.' });
    await this.#desk.close();
    await Promise.all([...this.#loops.values()].map((loop) => loop.close()));
    await stopMachines(this.#options.agents);
  }

  async close(): Promise<void> {
    this.#telling.close();
    await this.#desk.close();
    await Promise.all([...this.#loops.values()].map((loop) => loop.close()));
    this.#options.agents.removeAllListeners();
    this.#engines.close();
  }

  #wakeAll(): void {
    this.#wake(() => true);
  }

  #wake(isConcerned: (database: Database) => boolean): void {
    for (const database of this.#databases.all()) if (isConcerned(database)) this.#loops.get(database.name)?.wake();
  }

  #lookAfter(name: string): void {
    const loop = new Reconciler(name, {
      agents: this.#options.agents,
      clock: this.#options.clock,
      databases: this.#databases,
      engines: this.#engines,
      ...{ observer: this.#observer, seeds: this.#desk.seeds },
      ...{ slotRates: new SlotRates(), quietNodes: this.#quietNodes },
      machines: () => this.fleet.views(),
      newNodeId,
      oneByOne: (work) => this.#oneByOne(work),
      plan,
      record: (event) => this.#recordOf(name, event),
      isStopping: () => this.#stopping,
      looked: (durationMs) => this.#looks.note(durationMs),
      seen: (status) => this.#notePrimaries(name, status),
      tookOver: (failover) => this.#failovers.note(failover),
      moved: () => this.#telling.moved(name),
      served: () => this.#telling.endpoints.changed(),
      backupOf: (name) => this.#desk.backups.runningOf(name),
      resharded: ({ reshard }, seconds) => this.#jobTimes.note(reshard!, seconds),
      pace: (pace) => this.#telling.endpoints.pace(pace),
    });
    this.#loops.set(name, loop);
    loop.wake();
  }

  /** A loop's event; the last one a database has is that it is gone. */
  #recordOf(name: string, event: NewEvent): void {
    this.#record(event);
    if (event.kind === 'step_done') this.fleet.noteDrained();
    if (this.#databases.find(name)) return;
    this.#loops.delete(name);
    this.#primaries.forget(name);
    this.#failovers.forget(name);
    this.#telling.endpoints.changed();
    this.#record({ kind: 'database_deleted', severity: 'info', database: name, message: `${name} is gone.` });
  }

  /** Who is primary is known by looking; who was, for the history only. */
  #notePrimaries(name: string, status: DatabaseStatus): void {
    const database = this.#databases.find(name);
    if (!database) return;
    for (const event of this.#primaries.note(database, status)) this.#record(event);
    this.#desk.restores.seen(database, status);
  }

  #statusOf(database: Database): DatabaseStatus {
    const seen = this.#loops.get(database.name)?.status;
    if (seen) return sinceThen(database, seen);
    return unseenStatus(database, this.#options.clock.now());
  }

  /** Databases of a time before endpoints get a port, once the agents have had time to come. */
  #givePorts(): void {
    if (this.#databases.all().every(({ spec }) => spec.port !== ANY_PORT)) return;
    const give = () => this.#oneByOne(() => this.#grants.givePorts()).then(() => this.#telling.endpoints.changed());
    this.#options.clock.timer(ARRIVAL_MS, () => {
      give().catch((error: unknown) => this.#options.log.warn({ err: error }, 'A database has no port yet.'));
    });
  }

  /** Refused while the fleet stops. */
  #oneByOne<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#admissions.then(() => {
      this.#refuseWhileStopping();
      return work();
    });
    this.#admissions = result.catch(() => {});
    return result;
  }

  #refuseWhileStopping(): void {
    if (this.#stopping) throw new ValkeeperError('stopping');
  }
}
