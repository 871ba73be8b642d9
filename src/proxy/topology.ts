/**
 * Keeps the slot map true: asks nodes for what they know, now and then while all is well, at once and often when
 * something suggests that it has changed. Every answer is taken as it comes; the map knows which of two is newer.
 */
import { ADMIN_USER } from '../domain/database.ts';
import type { EndpointDatabase } from '../protocol/endpoint-messages.ts';
import { parseClusterNodes } from '../valkey/cluster-nodes.ts';
import { NodeConnection } from '../valkey/connection.ts';
import type { TlsTo } from './node-tls.ts';
import type { NodePlace, SlotMap } from './slot-map.ts';

const QUIET_MS = 10_000;
const FIRST_STEP_MS = 10;
const LONGEST_STEP_MS = 250;
/** After the loss of a primary its replicas are asked, who know first, and all nodes only this often: each answer takes time from the takeover. */
const ALL_EVERY_STEPS = 4;
/** How long it goes on asking after the last suspicion, when nothing has changed. */
const SUSPECT_FOR_MS = 3_000;
const ANSWER_MS = 1_000;
/** A replica that answers reads has all that was written so long ago: the time between two looks, and of the last one. */
const READ_LAG_MS = 3_000;
/** Where replicas answer reads: how often they are looked at, and how far two looks may be apart to be compared. */
const LAG_LOOK_MS = 1_000;
const MOST_BETWEEN_MS = 1_300;
/** How long a look holds. */
const FRESH_MS = READ_LAG_MS - MOST_BETWEEN_MS;

export interface TopologyEvents {
  /** Slots have other owners. */
  changed(): void;
  /** Whether anybody uses the database now. */
  isUsed(): boolean;
  /** Whether replicas answer reads, and so their lag matters. */
  readsReplicas(): boolean;
}

export class Topology {
  readonly #map: SlotMap;
  readonly #events: TopologyEvents;
  readonly #tlsTo: TlsTo;
  readonly #connections = new Map<string, NodeConnection>();
  #database: EndpointDatabase;
  #timer: NodeJS.Timeout | null = null;
  readonly #lagTimer: NodeJS.Timeout;
  #stepMs = FIRST_STEP_MS;
  #suspectUntil = 0;
  /** The nodes that the database has, by its record. */
  #listed: ReadonlySet<string> = new Set();
  #turn = 0;
  #steps = 0;
  /** Primaries whose connections ended since all was well: whoever takes over from them is sought. */
  readonly #lost = new Set<number>();
  #closed = false;
  /** Of a primary: what it had written at the last look. */
  readonly #written = new Map<number, { offset: number; at: number }>();
  refreshes = 0;
  /** Of the first node that told. */
  engineVersion: string | null = null;

  constructor(database: EndpointDatabase, map: SlotMap, tlsTo: TlsTo, events: TopologyEvents) {
    this.#database = database;
    this.#map = map;
    this.#events = events;
    this.#tlsTo = tlsTo;
    this.#learnPlaces();
    this.suspect();
    this.#lagTimer = setInterval(() => {
      if (this.#events.readsReplicas()) void this.#askForLag();
    }, LAG_LOOK_MS);
    this.#lagTimer.unref();
  }

  update(database: EndpointDatabase): void {
    this.#database = database;
    this.#learnPlaces();
    for (const key of [...this.#connections.keys()]) this.#disconnect(key);
    this.suspect();
  }

  #learnPlaces(): void {
    this.#listed = new Set(this.#database.nodes.map(({ id }) => id));
    for (const { id, host, port, zone, machine } of this.#database.nodes) {
      this.#map.place(id, host, port, zone, machine);
    }
  }

  /** The map may be wrong: nodes are asked at once, and for a while. */
  suspect(): void {
    this.#suspect(null);
  }

  /** The connection to a node ended: if it is a primary, somebody will take its place. */
  lost(index: number): void {
    this.#suspect(index);
  }

  /** Something is known to have changed: asked at once, even if it was asked a moment ago. */
  look(): void {
    this.#suspectUntil = 0;
    this.suspect();
  }

  #suspect(lost: number | null): void {
    const now = performance.now();
    const isNew = now > this.#suspectUntil;
    this.#suspectUntil = now + SUSPECT_FOR_MS;
    if (isNew) this.#lost.clear();
    if (lost !== null) this.#lost.add(lost);
    if (!isNew || this.#closed) return;
    this.#stepMs = FIRST_STEP_MS;
    this.#steps = 0;
    this.#schedule(0);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#lagTimer);
    if (this.#timer) clearTimeout(this.#timer);
    for (const key of [...this.#connections.keys()]) this.#disconnect(key);
  }

  #schedule(ms: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#step(), ms);
  }

  #step(): void {
    if (this.#closed) return;
    if (performance.now() < this.#suspectUntil || !this.#map.isComplete) {
      for (const node of this.#asked()) void this.#ask(node);
      this.#schedule(this.#stepMs);
      this.#stepMs = Math.min(LONGEST_STEP_MS, this.#stepMs * 1.5);
      return;
    }
    if (this.#events.isUsed()) {
      this.#turn += 1;
      const present = this.#present();
      const node = present[this.#turn % Math.max(1, present.length)];
      if (node) void this.#ask(node);
    }
    this.#schedule(QUIET_MS);
  }

  /** Whom to ask in this step. */
  #asked(): readonly NodePlace[] {
    this.#steps += 1;
    if (this.#steps % ALL_EVERY_STEPS === 0) return this.#present();
    const heirs = [...this.#lost].flatMap((index) => this.#map.replicasOf(index));
    return heirs.length > 0 ? heirs : this.#present();
  }

  /** Without those that are gone: of these the map has one for every shard that ever was, and others have their addresses. */
  #present(): NodePlace[] {
    const owners = new Set(this.#map.primaries());
    return this.#map.nodes.filter(({ id, index }) => this.#listed.has(id) || owners.has(index));
  }

  async #ask(node: NodePlace): Promise<void> {
    const { host, port } = node;
    const connection = this.#connection(node);
    try {
      if (this.engineVersion === null) {
        const info = await connection.command('INFO', 'server');
        this.engineVersion = /^valkey_version:(\S+)/m.exec(String(info))?.[1] ?? null;
      }
      const text = await connection.command('CLUSTER', 'NODES');
      this.refreshes += 1;
      if (this.#closed || !this.#map.learn(parseClusterNodes(String(text)), { host, port })) return;
      this.#events.changed();
    } catch {
      // The others know; and it is asked again.
      this.#disconnect(`${host}:${port}`);
    }
  }

  /**
   * Which replicas are fresh: those that have now what their primary had at the look before. A primary or replica that
   * does not answer is not known to be, and after `FRESH_MS` no longer.
   */
  async #askForLag(): Promise<void> {
    const now = performance.now();
    await Promise.all(
      this.#map.primaries().map(async (index) => {
        const [written, ...applied] = await Promise.all([
          this.#offsetOf(this.#map.nodes[index]!, 'master_repl_offset'),
          ...this.#map.replicasOf(index).map((node) => this.#offsetOf(node, 'slave_repl_offset')),
        ]);
        const before = this.#written.get(index);
        if (written !== null) this.#written.set(index, { offset: written, at: now });
        if (before === undefined || now - before.at > MOST_BETWEEN_MS) return;
        for (const [at, node] of this.#map.replicasOf(index).entries()) {
          if ((applied[at] ?? -1) >= before.offset) node.freshUntil = now + FRESH_MS;
        }
      }),
    );
  }

  async #offsetOf(node: NodePlace, field: string): Promise<number | null> {
    const text = await this.#connection(node)
      .command('INFO', 'replication')
      .catch(() => '');
    const found = new RegExp(`^${field}:(\\d+)`, 'm').exec(String(text));
    return found && !String(text).includes('master_link_status:down') ? Number(found[1]) : null;
  }

  #connection(node: NodePlace): NodeConnection {
    const { host, port } = node;
    const key = `${host}:${port}`;
    let connection = this.#connections.get(key);
    if (!connection) {
      const isTls = this.#tlsTo(node) !== null;
      connection = new NodeConnection({
        ...{ host, port, username: ADMIN_USER, password: this.#database.adminPassword },
        ...{ connectTimeoutMs: ANSWER_MS, commandTimeoutMs: ANSWER_MS, maxQueued: 64 },
        ...(isTls ? { tls: () => this.#tlsTo(node) ?? {} } : {}),
      });
      this.#connections.set(key, connection);
    }
    return connection;
  }

  #disconnect(key: string): void {
    this.#connections.get(key)?.close();
    this.#connections.delete(key);
  }
}
