/** One database at the endpoint: its listening socket, its clients, and what they share. */
import type { Server } from 'node:net';
import { ADMIN_USER } from '../domain/database.ts';
import type { EndpointDatabase } from '../protocol/endpoint-messages.ts';
import type { Credentials } from '../trust/credentials.ts';
import { Busy } from './busy.ts';
import { Client } from './client.ts';
import { COMMAND_COUNT } from './commands/command-index.ts';
import { dispatch, unknown } from './dispatch.ts';
import { Entrance } from './entrance.ts';
import { askNode } from './gather.ts';
import { answerQuestion } from './handlers/clients.ts';
import { Histogram } from './histogram.ts';
import type { AskOthers, Counts, Home, OwnLaneEvents, Peer, WorkerQuestion } from './home.ts';
import { Lane, type LaneIdentity, type SetupFor } from './lane.ts';
import type { Limits } from './limits.ts';
import { Monitors } from './monitors.ts';
import { type TlsTo, tlsToNodesOf } from './node-tls.ts';
import { Pacing } from './pacing.ts';
import { Pause } from './pause.ts';
import { acceptingServer, type Opener, turnAway } from './read-socket.ts';
import { Replaced } from './replaced.ts';
import { ReplicaGate } from './replica-gate.ts';
import { ScriptCache } from './script-cache.ts';
import { Sender } from './sender.ts';
import { type NodePlace, SlotMap } from './slot-map.ts';
import { Topology } from './topology.ts';

/** A lane that nobody uses any more is kept so long, in case somebody comes. */
const LANE_KEPT_MS = 30_000;
const CLOCK_MS = 100;
const TICKS_A_CHECK = 5;
const TOO_LARGE =
  "ERR the endpoint's memory for commands and replies is used up, and this client had most of it: what it has no answer to may or may not have been carried out";

export interface ServiceOptions {
  database: EndpointDatabase;
  limits: Limits;
  zone: string;
  /** What the machine shows and believes, as it is now; null when it has none. */
  credentials: () => Credentials | null;
  /** The next id of a client, unique in the endpoint. */
  nextClientId: () => number;
  askOthers: AskOthers;
  /** Is told of errors that should not exist. */
  onDefect?: ((error: unknown) => void) | undefined;
}

export class Service implements Home {
  readonly startedAt = Date.now();
  readonly limits: Limits;
  readonly map = new SlotMap();
  readonly sender: Sender;
  readonly acknowledging = new ReplicaGate(this, () => this.sender.wake());
  readonly scripts: ScriptCache;
  readonly operations = new Float64Array(COMMAND_COUNT);
  readonly counts: Counts = {
    ...{ accepted: 0, rejected: 0, bytesIn: 0, bytesOut: 0 },
    ...{ errorReplies: 0, protocolErrors: 0, longCommands: 0, slowClients: 0, largeClients: 0 },
    ...{ lateLogins: 0, idleClients: 0, paced: 0, defects: 0, plainRefused: 0, failedHandshakes: 0 },
  };
  readonly underWay = { bytes: 0 };
  readonly latency = { endpoint: new Histogram(), engine: new Histogram() };
  readonly pause = new Pause(() => this.#updateClients());
  readonly pacing = new Pacing(() => this.#updateClients());
  readonly monitors = new Monitors();
  readonly busy = new Busy(
    (node) => askNode(this, node, ['PING']),
    () => this.#updateClients(),
  );
  readonly dispatcher = { dispatch, unknown };
  readonly peers = new Map<number, Client>();
  readonly askOthers: AskOthers;
  readonly strangersLane: Lane;
  readonly adminLane: Lane;
  readonly topology: Topology;
  readonly tlsTo: TlsTo;
  now = Date.now();
  database: EndpointDatabase;
  readonly #options: ServiceOptions;

  readonly #lanes = new Map<string, Lane>();
  readonly #ownLanes = new Map<Lane, OwnLaneEvents>();
  /** Of the slot map, when lanes were last told. */
  readonly #replaced = new Replaced(this, () => this.lanes());
  #toldVersion = 0;
  readonly #clock: NodeJS.Timeout;
  readonly #entrance: Entrance;
  /** Clients that speak plain text. */
  readonly #plain = new WeakSet<Client>();
  #server: Server | null = null;
  #turn = 0;
  #ticks = 0;
  #isRelieving = false;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.database = options.database;
    this.tlsTo = tlsToNodesOf(() => this.database, options.credentials);
    this.limits = options.limits;
    this.askOthers = options.askOthers;
    this.scripts = new ScriptCache(options.limits.scriptBytes);
    this.sender = new Sender(
      this.map,
      options.limits,
      () => this.suspect(),
      (slot, primary) => this.#chooseReplica(slot, primary),
    );
    this.strangersLane = this.#newLane({ user: '', password: null, db: 0, resp: 2 });
    this.#entrance = new Entrance({
      ...{ limits: this.limits, counts: this.counts, credentials: options.credentials },
      requiresTls: () => this.database.tls === 'required',
      admit: (open, isTls) => this.#admit(open, isTls),
    });
    const admin = { user: ADMIN_USER, password: options.database.adminPassword, db: 0, resp: 3 as const };
    this.adminLane = this.#newLane(admin, false);
    this.acknowledging.require(options.database.acknowledgements);
    this.topology = new Topology(options.database, this.map, this.tlsTo, {
      changed: () => this.#mapChanged(),
      isUsed: () => this.peers.size > 0,
      readsReplicas: () =>
        this.readsReplicasByDefault || [...this.peers.values()].some(({ session }) => session.readsReplicas),
    });
    this.#clock = setInterval(() => this.#tick(), CLOCK_MS);
    this.#clock.unref();
  }

  /** As the nodes told; before that, the oldest it can be. */
  get engineVersion(): string {
    return this.topology.engineVersion ?? '9.1.0';
  }

  get entersFreely(): boolean {
    return this.database.users.some(({ name, passwordSha256 }) => name === 'default' && passwordSha256 === null);
  }

  get readsReplicasByDefault(): boolean {
    return this.database.read !== 'primary';
  }

  /** Serves connections of a listening socket; `open` makes the server listen. */
  listen(open: (server: Server) => void): Server {
    const server = acceptingServer((accepted) => this.#entrance.take(accepted));
    this.#server = server;
    open(server);
    return server;
  }

  get server(): Server | null {
    return this.#server;
  }

  #admit(open: Opener, isTls: boolean): void {
    if (this.peers.size >= this.limits.clients) {
      this.counts.rejected += 1;
      turnAway(
        open(() => true),
        '-ERR max number of clients reached\r\n',
      );
      return;
    }
    this.counts.accepted += 1;
    const id = this.#options.nextClientId();
    const client = new Client(open, this, id);
    if (!isTls) this.#plain.add(client);
    this.peers.set(id, client);
    client.session.readsReplicas = this.readsReplicasByDefault;
    if (!this.entersFreely) return;
    client.session.isAuthenticated = true;
    client.changeIdentity({});
  }

  /** What the database is now. */
  update(database: EndpointDatabase): void {
    const before = this.database;
    this.database = database;
    this.acknowledging.require(database.acknowledgements);
    this.topology.update(database);
    for (const client of [...this.peers.values()]) {
      if (before.acknowledgements !== database.acknowledgements) client.forgetWay();
      const mayStay = database.tls !== 'required' || !this.#plain.has(client);
      if (!mayStay || !isSameUser(before, database, client.session.user)) client.closeAfterReplies();
    }
  }

  joinLane(identity: LaneIdentity): Lane {
    const key = JSON.stringify([identity.user, identity.password, identity.db, identity.resp]);
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = this.#newLane(identity);
      this.#lanes.set(key, lane);
    }
    lane.clients += 1;
    return lane;
  }

  openOwnLane(identity: LaneIdentity, setupFor: SetupFor, events: OwnLaneEvents): Lane {
    this.#tellLanes(); // of what was before, the new one need not hear
    const lane = new Lane(
      identity,
      this.map,
      {
        nodeReady: () => this.sender.wake(),
        nodeLost: ({ index }, wasReady) => {
          this.topology.lost(index);
          events.lost(index, wasReady);
        },
        push: events.push,
      },
      this.tlsTo,
      { isShared: false, setupFor, acknowledging: events.onlyListens ? null : this.acknowledging },
    );
    this.#ownLanes.set(lane, events);
    lane.clients = 1;
    return lane;
  }

  leaveLane(lane: Lane): void {
    if (lane === this.strangersLane) return;
    lane.clients -= 1;
    if (lane.clients > 0) return;
    if (!lane.isShared) {
      this.#ownLanes.get(lane)?.left?.();
      lane.retire(() => this.#ownLanes.delete(lane));
      return;
    }
    lane.leftAt = this.now;
  }

  /** Ends lanes that nobody has used for a while, when nothing is under way on them. */
  #closeIdleLanes(): void {
    for (const [key, lane] of this.#lanes) {
      if (lane.clients > 0 || this.now - lane.leftAt < LANE_KEPT_MS) continue;
      this.#lanes.delete(key);
      lane.retire(() => {});
    }
  }

  #newLane(identity: LaneIdentity, writes = true): Lane {
    const events = {
      nodeReady: () => this.sender.wake(),
      nodeLost: ({ index }: NodePlace, wasReady: boolean) => {
        this.topology.lost(index);
        // One of them takes over: its connection is ready by then. One for acknowledged writes a replica does not admit.
        if (!wasReady || this.acknowledging.count > 0) return;
        for (const heir of this.map.replicasOf(index)) lane.toPrimary(heir.index);
      },
      push: () => {},
      answered: (ms: number) => this.latency.engine.record(ms),
    };
    const acknowledging = writes ? this.acknowledging : null;
    const lane: Lane = new Lane(identity, this.map, events, this.tlsTo, { acknowledging });
    return lane;
  }

  /** All lanes, to count their connections. */
  *lanes(): Generator<Lane> {
    yield this.adminLane;
    yield* this.#lanes.values();
    yield* this.#ownLanes.keys();
  }

  suspect(): void {
    this.topology.suspect();
  }

  /** What a redirection says changes the map, too, without an answer to a question that would tell of it. */
  #tellLanes(): void {
    if (this.#toldVersion === this.map.version) return;
    this.#toldVersion = this.map.version;
    for (const [lane, events] of [...this.#ownLanes]) if (lane.clients > 0) events.mapChanged();
  }

  #mapChanged(): void {
    this.#replaced.mapChanged();
    this.acknowledging.keepOnly(this.map.primaries());
    this.sender.wake();
  }

  /** A replica that is near and not behind; null: the primary answers. */
  #chooseReplica(_: number, primary: number): number | null {
    const now = performance.now();
    const fit = this.map.replicasOf(primary).filter(({ freshUntil }) => freshUntil > now);
    if (this.database.read !== 'nearest-zone') {
      this.#turn += 1;
      return fit.length === 0 ? null : fit[this.#turn % fit.length]!.index;
    }
    const { zone } = this.#options;
    if (this.map.nodes[primary]!.zone === zone) return null;
    return fit.find((node) => node.zone === zone)?.index ?? null;
  }

  #updateClients(): void {
    for (const client of this.peers.values()) client.updatePlain();
  }

  #tick(): void {
    this.now = Date.now();
    this.busy.check();
    this.monitors.keep(this.map, this.database.adminPassword, this.tlsTo);
    this.#tellLanes();
    this.#ticks += 1;
    if (this.#ticks % TICKS_A_CHECK !== 0) return;
    for (const client of this.peers.values()) client.checkTime();
    this.#closeIdleLanes();
  }

  /** At the end of the turn, so that nobody is closed in the middle of its own command. */
  relieve(): void {
    if (this.#isRelieving) return;
    this.#isRelieving = true;
    setImmediate(() => {
      this.#isRelieving = false;
      while (this.underWay.bytes > this.limits.totalBytes) {
        let most: Client | null = null;
        for (const client of this.peers.values()) if (client.held > (most?.held ?? 0)) most = client;
        if (most === null) return;
        this.counts.largeClients += 1;
        most.closeBecause(TOO_LARGE);
      }
    });
  }

  defect(error: unknown): void {
    this.counts.defects += 1;
    this.#options.onDefect?.(error);
  }

  forget(client: Peer): void {
    this.monitors.delete(client);
    this.peers.delete(client.session.id);
  }

  /** What this worker says of its clients. */
  answerOthers(question: WorkerQuestion): string {
    return answerQuestion(this, question);
  }

  /** Takes no new client. */
  stopListening(): void {
    this.#server?.close();
    this.#server = null;
  }

  /** Ends clients between two commands, at once those that have been silent. @returns how many are left */
  drain(silentMs: number): number {
    for (const client of [...this.peers.values()]) client.leave(silentMs);
    this.#entrance.leave(silentMs);
    return this.peers.size + this.#entrance.pending;
  }

  close(): void {
    clearInterval(this.#clock);
    this.pause.end();
    this.pacing.end();
    this.monitors.close();
    this.stopListening();
    this.#entrance.close();
    for (const client of [...this.peers.values()]) client.close();
    this.sender.close();
    this.acknowledging.close();
    this.topology.close();
    for (const lane of [...this.lanes()]) lane.close();
  }
}

/** A user who is still there with the same password. */
function isSameUser(before: EndpointDatabase, after: EndpointDatabase, user: string): boolean {
  const find = ({ users }: EndpointDatabase) => users.find(({ name }) => name === user);
  return find(before)?.passwordSha256 === find(after)?.passwordSha256;
}
