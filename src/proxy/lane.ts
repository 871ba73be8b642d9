/**
 * What clients with the same user, database number and protocol version share: one connection to each node, opened when
 * first needed. A private lane (`isShared` false) belongs to one client whose connections differ from everybody else's.
 */
import type { CommandArgument } from '../resp/encode.ts';
import type { Acknowledging } from './acknowledging.ts';
import type { TlsTo } from './node-tls.ts';
import type { NodePlace, SlotMap } from './slot-map.ts';
import { Upstream } from './upstream.ts';
import type { UpstreamPlace } from './upstream-place.ts';

/** After a connection that could not be made: how long until the next try. */
const RETRY_MS = 20;
const LONGEST_RETRY_MS = 500;
/** How often, and how many times, a lane that nobody needs any more is asked whether all is answered. */
const RETIRE_STEP_MS = 20;
const RETIRE_TRIES = 500;

export interface LaneIdentity {
  user: string;
  /** Null: the user enters without. */
  password: string | null;
  db: number;
  resp: 2 | 3;
}

export interface LaneEvents {
  /** A node's connection is ready: what waits for it may be sent. */
  nodeReady(): void;
  /** A node's connection ended. */
  nodeLost(node: NodePlace, wasReady: boolean): void;
  /** Out of band data for the lane's client, from the node with this index; the bytes may be changed. */
  push(bytes: Buffer, from: number, to: number, node: number): void;
  /** How long a node took to answer; now and then. */
  answered?(ms: number): void;
}

/** What a connection to this node is told before anything else; null: it cannot be made yet. */
export type SetupFor = (node: number) => readonly (readonly CommandArgument[])[] | null;

interface Way {
  upstream: Upstream | null;
  failures: number;
  retryAt: number;
}

export class Lane {
  /** Of connections to come; a lane of one client may change its own. */
  identity: LaneIdentity;
  readonly isShared: boolean;
  /** Clients that use it, and when the last one left; kept by the owner. */
  clients = 0;
  leftAt = 0;
  /** Why the engine did not let us in, if it did not: the user's password was changed. */
  refusal: string | null = null;
  readonly #map: SlotMap;
  readonly #events: LaneEvents;
  readonly #setupFor: SetupFor;
  readonly #tlsTo: TlsTo;
  readonly #acknowledging: Acknowledging | null;
  readonly #primaries: (Way | undefined)[] = [];
  readonly #replicas: (Way | undefined)[] = [];
  /** To primaries: reads that go beside writes. */
  readonly #beside: (Way | undefined)[] = [];
  readonly #idle = new Map<number, Upstream[]>();
  /** With the index of its node. */
  readonly #borrowed = new Map<Upstream, number>();
  readonly #settling = new WeakSet<Upstream>();
  #closed = false;

  constructor(
    identity: LaneIdentity,
    map: SlotMap,
    events: LaneEvents,
    tlsTo: TlsTo,
    { isShared = true, setupFor = (() => []) as SetupFor, acknowledging = null as Acknowledging | null } = {},
  ) {
    this.identity = identity;
    this.isShared = isShared;
    this.#map = map;
    this.#events = events;
    this.#setupFor = setupFor;
    this.#tlsTo = tlsTo;
    this.#acknowledging = acknowledging;
  }

  /** The shared connection to a primary; null while it cannot be made. */
  toPrimary(index: number): Upstream | null {
    // One that was primary before, and is again, may still be connected: it is asked for its replicas all the same.
    if (this.lacksReplicas(index)) return null;
    const way = this.#primaries[index];
    if (way !== undefined && way.upstream !== null) return way.upstream;
    return this.#open(this.#primaries, index, this.#mayWait(), true);
  }

  /** The connection to a primary for reads that follow no write of their client: they do not wait for replicas. */
  toPrimaryBeside(index: number): Upstream | null {
    if (!this.#acknowledges) return this.toPrimary(index);
    return this.#beside[index]?.upstream ?? this.#open(this.#beside, index, []);
  }

  /** Writes must be acknowledged, and not enough replicas of this primary are known to do so. */
  lacksReplicas(index: number): boolean {
    return this.#acknowledges && !this.#acknowledging!.isOpen(index);
  }

  get #acknowledges(): boolean {
    return this.#acknowledging !== null && this.#acknowledging.count > 0;
  }

  /** A user who may not say WAIT is told so before anything is written. */
  #mayWait(): readonly (readonly CommandArgument[])[] {
    return this.#acknowledges ? MAY_WAIT : [];
  }

  /** The shared connection to a node that may answer reads though it is a replica. */
  toReplica(index: number): Upstream | null {
    const way = this.#replicas[index];
    if (way !== undefined && way.upstream !== null) return way.upstream;
    return this.#open(this.#replicas, index, [['READONLY']]);
  }

  /** A connection that nobody else uses until it is given back; null when the node cannot be reached now. */
  borrow(index: number): Upstream | null {
    for (const idle = this.#idle.get(index) ?? []; idle.length > 0; ) {
      const upstream = idle.pop()!;
      if (upstream.isClosed) continue;
      this.#borrowed.set(upstream, index);
      return upstream;
    }
    const way = this.#primaries[index];
    if (way && way.failures > 0 && way.retryAt > performance.now()) return null;
    if (this.lacksReplicas(index)) return null;
    const more = this.#setupFor(index);
    if (more === null) return null;
    const writes = { setup: [...more, ...this.#mayWait()], acknowledging: this.#acknowledging };
    const upstream = this.#connect(index, writes, (refusal) => {
      this.#borrowed.delete(upstream);
      if (upstream.lacksReplicas) this.#acknowledging?.shut(index);
      this.#refused(refusal);
      this.#events.nodeLost(this.#map.nodes[index]!, upstream.clientId > 0);
    });
    this.#borrowed.set(upstream, index);
    return upstream;
  }

  /** Takes a borrowed connection back: nothing is under way on it, and it is as it was. */
  giveBack(index: number, upstream: Upstream): void {
    this.#borrowed.delete(upstream);
    if (upstream.isClosed) return;
    const idle = this.#idle.get(index) ?? [];
    this.#idle.set(index, idle);
    if (idle.length < IDLE_KEPT && !this.#closed) idle.push(upstream);
    else upstream.close();
  }

  /** Every open shared connection, with the index of its node. */
  *open(): Generator<[number, Upstream]> {
    for (const ways of [this.#primaries, this.#replicas, this.#beside]) {
      for (const [index, way] of ways.entries()) if (way?.upstream) yield [index, way.upstream];
    }
  }

  /** Writes to what is no primary any more, and that wait for its replicas, are settled by its successor. */
  settleReplaced(owners: ReadonlySet<number>): void {
    for (const [index, upstream] of this.#withholding()) {
      if (owners.has(index) || this.#settling.has(upstream)) continue;
      this.#settling.add(upstream);
      void this.#settle(index, upstream).finally(() => this.#settling.delete(upstream));
    }
  }

  /** @returns whether the batch that is on its way could be settled */
  async #settle(index: number, upstream: Upstream): Promise<boolean> {
    const { withheldBatch } = upstream;
    const isReached = await this.#acknowledging!.reachedBySuccessor(index);
    if (isReached && upstream.withheldBatch === withheldBatch) upstream.settle();
    return isReached;
  }

  /** WAIT was answered with an error: nothing but the successor's word is to be expected. */
  async #settleOrClose(index: number, upstream: Upstream): Promise<void> {
    if (!(await this.#settle(index, upstream))) upstream.close();
  }

  *#withholding(): Generator<[number, Upstream]> {
    for (const [index, way] of this.#primaries.entries()) if (way?.upstream?.withheldBatch) yield [index, way.upstream];
    for (const [upstream, index] of this.#borrowed) if (upstream.withheldBatch) yield [index, upstream];
  }

  /** Ends the connection to a node that is no longer what it was. */
  drop(index: number): void {
    for (const ways of [this.#primaries, this.#replicas, this.#beside]) ways[index]?.upstream?.close();
    for (const upstream of this.#idle.get(index) ?? []) upstream.close();
    this.#idle.delete(index);
  }

  /** Ends it as soon as nothing is under way on it; `closed` is called then. */
  retire(closed: () => void, tries = RETIRE_TRIES): void {
    const upstreams = [...[...this.open()].map(([, upstream]) => upstream), ...this.#borrowed.keys()];
    if (tries > 0 && upstreams.some(({ inFlight }) => inFlight > 0)) {
      setTimeout(() => this.retire(closed, tries - 1), RETIRE_STEP_MS).unref();
      return;
    }
    this.close();
    closed();
  }

  close(): void {
    this.#closed = true;
    for (const [, upstream] of [...this.open()]) upstream.close();
    for (const upstream of [...this.#idle.values()].flat()) upstream.close();
    for (const upstream of [...this.#borrowed.keys()]) upstream.close();
  }

  #open(
    ways: (Way | undefined)[],
    index: number,
    extra: readonly (readonly CommandArgument[])[],
    writes = false,
  ): Upstream | null {
    const way = ways[index] ?? { upstream: null, failures: 0, retryAt: 0 };
    ways[index] = way;
    if (this.#closed || way.retryAt > performance.now()) return null;
    const more = this.#setupFor(index);
    if (more === null) return null;
    let wasReady = false;
    way.upstream = this.#connect(
      index,
      { setup: [...more, ...extra], acknowledging: writes ? this.#acknowledging : null },
      (refusal) => {
        if (writes) this.#acknowledging?.shut(index);
        way.upstream = null;
        way.failures = wasReady ? 0 : way.failures + 1;
        way.retryAt = wasReady ? 0 : performance.now() + Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** (way.failures - 1));
        this.#refused(refusal);
        this.#events.nodeLost(this.#map.nodes[index]!, wasReady);
      },
      () => {
        wasReady = true;
        way.failures = 0;
        this.refusal = null;
      },
    );
    return way.upstream;
  }

  #connect(
    index: number,
    { setup: extra, acknowledging }: Pick<UpstreamPlace, 'setup' | 'acknowledging'>,
    closed: (refusal: string | null) => void,
    ready: () => void = () => {},
  ): Upstream {
    const node = this.#map.nodes[index]!;
    const { host, port } = node;
    const setup = [...setupOf(this.identity), ...extra];
    const upstream = new Upstream(
      { host, port, tls: this.#tlsTo(node), setup, acknowledging },
      {
        upstreamReady: () => {
          ready();
          this.#events.nodeReady();
        },
        upstreamClosed: closed,
        upstreamReplaced: () => void this.#settleOrClose(index, upstream),
        upstreamPush: (bytes, from, to) => this.#events.push(bytes, from, to, index),
        upstreamAnswered: (ms) => this.#events.answered?.(ms),
      },
    );
    return upstream;
  }

  /** A replica answers WAIT with an error, whoever asks. */
  #refused(refusal: string | null): void {
    if (refusal !== null && !refusal.startsWith(NO_PRIMARY)) this.refusal = refusal;
  }
}

/** WAIT in a form that never blocks: the user may use it or not. */
const MAY_WAIT = [['WAIT', 0, 1]];
const NO_PRIMARY = 'ERR WAIT cannot be used with replica';

/** Borrowed connections that are kept for the next borrower, a node. */
const IDLE_KEPT = 16;

function setupOf({ user, password, db, resp }: LaneIdentity): CommandArgument[][] {
  const auth = password === null ? [] : ['AUTH', user, password];
  const hello: CommandArgument[] = ['HELLO', resp, ...auth, 'SETNAME', 'valkeeper-endpoint'];
  return db === 0 ? [hello] : [hello, ['SELECT', db]];
}
