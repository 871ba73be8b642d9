/**
 * Which lane a client uses: the one it shares, or one of its own when it has asked the engine for something that belongs
 * to a connection (CLIENT TRACKING, NO-TOUCH, IMPORT-SOURCE). Keys that it read are remembered by those connections: with each
 * that ends, whoever is told of them is told to forget everything.
 *
 *     RESP3: the connections push            RESP2: they redirect to others beside them, which speak RESP3
 *         '-> the client, or the one that it redirects to
 */
import type { CommandArgument } from '../resp/encode.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';
import type { Home, OwnLaneEvents } from './home.ts';
import { type Invalidations, tellInvalidation } from './invalidations.ts';
import type { Lane, LaneIdentity } from './lane.ts';
import { askOn } from './own-connection.ts';
import type { Session, Tracking } from './session.ts';
import type { Upstream } from './upstream.ts';

/** Of all keys. */
const INVALIDATE_ALL = Buffer.from('>2\r\n$10\r\ninvalidate\r\n_\r\n');
const RETRY_MS = 100;
/** How long connections are waited for that are to push. */
const PUSHER_TRIES = 100;
const PUSHER_STEP_MS = 5;

const NO_TOUCH: readonly CommandArgument[] = ['CLIENT', 'NO-TOUCH', 'ON'];
const IMPORT_SOURCE: readonly CommandArgument[] = ['CLIENT', 'IMPORT-SOURCE', 'ON'];
const NOTHING_HEARD: OwnLaneEvents = { push: () => {}, lost: () => {}, mapChanged: () => {} };

/** A client, as far as its lane is concerned. */
export interface LaneClient extends Invalidations {
  readonly session: Session;
  readonly home: Home;
}

/** The lane for this identity and what the session has set; to be left by whoever takes it. */
export function laneFor(client: LaneClient, identity: LaneIdentity): Lane {
  const { tracking, noTouch, importSource } = client.session;
  const { home } = client;
  const setup = [...(noTouch ? [NO_TOUCH] : []), ...(importSource ? [IMPORT_SOURCE] : [])];
  // In RESP2 nobody would be told.
  if (tracking !== null && (identity.resp === 3 || tracking.redirect > 0)) {
    return new TrackingLane(client, identity, tracking, setup).lane;
  }
  return setup.length > 0 ? home.openOwnLane(identity, () => setup, NOTHING_HEARD) : home.joinLane(identity);
}

const trackingLanes = new WeakMap<Lane, TrackingLane>();

/** Changes what the connections of a client that tracks track. @returns the engine's error, or null */
export const retrack = async (lane: Lane, tracking: Tracking, fresh: readonly Buffer[]): Promise<ReplyError | null> =>
  (await trackingLanes.get(lane)?.change(tracking, fresh)) ?? null;

/** The client's connections speak another version of the protocol from now on. @returns whether they do: others track */
export async function switchProtocol(lane: Lane, resp: 2 | 3): Promise<boolean> {
  const tracking = trackingLanes.get(lane);
  await tracking?.speak(resp);
  return tracking !== undefined;
}

/** CLIENT TRACKING ON as it was asked for. */
function commandOf({ mode, noLoop }: Tracking, prefixes: readonly Buffer[], engineClient: number): CommandArgument[] {
  const options: CommandArgument[] = mode === 'default' ? [] : [mode];
  if (noLoop) options.push('NOLOOP');
  if (engineClient > 0) options.push('REDIRECT', engineClient);
  for (const prefix of prefixes) if (prefix.length > 0) options.push('PREFIX', prefix);
  return ['CLIENT', 'TRACKING', 'ON', ...options];
}

class TrackingLane {
  readonly lane: Lane;
  readonly #client: LaneClient;
  #tracking: Tracking;
  /** What pushes in place of connections that speak RESP2; opened when first needed. */
  #pushers: Lane | null = null;
  /** Connections that were told later to redirect. */
  readonly #redirected = new WeakSet<Upstream>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    client: LaneClient,
    identity: LaneIdentity,
    tracking: Tracking,
    setup: readonly (readonly CommandArgument[])[],
  ) {
    this.#client = client;
    this.#tracking = tracking;
    const { home } = client;
    const setupFor = (node: number) => {
      const pusher = this.lane.identity.resp === 3 ? 0 : this.#pusherAt(node);
      return pusher === null ? null : [...setup, commandOf(this.#tracking, this.#tracking.prefixes, pusher)];
    };
    this.lane = home.openOwnLane(identity, setupFor, {
      push: (bytes, from, to) => this.#pushed(bytes, from, to),
      lost: (_, wasReady) => {
        if (wasReady) this.#forgetAll();
        this.#connectLater();
      },
      mapChanged: () => {
        this.#forgetAll();
        this.#connectLater();
      },
      left: () => {
        if (this.#pushers) home.leaveLane(this.#pushers);
      },
    });
    trackingLanes.set(this.lane, this);
    this.#connect();
  }

  /** The same connections, told anew; those to come as the others. */
  async change(tracking: Tracking, fresh: readonly Buffer[]): Promise<ReplyError | null> {
    this.#tracking = tracking;
    const replies: Promise<Reply>[] = [];
    for (const [node, upstream] of [...this.lane.open()]) {
      const pusher = this.#isRedirected(upstream) ? this.#pusherAt(node) : 0;
      if (pusher === null) upstream.close();
      else replies.push(askOn(upstream, commandOf(tracking, fresh, pusher)));
    }
    return (await Promise.all(replies)).find((reply) => reply instanceof ReplyError) ?? null;
  }

  /** The same connections go on in another version of the protocol. */
  async speak(resp: 2 | 3): Promise<void> {
    this.lane.identity = { ...this.lane.identity, resp };
    const needing = resp === 3 ? [] : [...this.lane.open()].filter(([, upstream]) => !this.#isRedirected(upstream));
    for (let tries = 0; tries < PUSHER_TRIES && needing.some(([node]) => this.#pusherAt(node) === null); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, PUSHER_STEP_MS));
    }
    for (const [node, upstream] of needing) {
      const pusher = this.#pusherAt(node);
      // With BCAST it cannot be told to redirect and nothing else.
      if (pusher === null || this.#tracking.mode === 'bcast') upstream.close();
      else {
        this.#redirected.add(upstream);
        void askOn(upstream, commandOf(this.#tracking, [], pusher));
      }
    }
    await Promise.all([...this.lane.open()].map(([, upstream]) => askOn(upstream, ['HELLO', resp])));
  }

  #isRedirected(upstream: Upstream): boolean {
    return this.#redirected.has(upstream) || upstream.place.setup.some((command) => command.includes('REDIRECT'));
  }

  /** The engine's id of a connection that pushes in place of others; null: there is none yet. */
  #pusherAt(node: number): number | null {
    const { home, session } = this.#client;
    const { user, password } = session;
    this.#pushers ??= home.openOwnLane({ user, password, db: 0, resp: 3 }, () => [], {
      push: (bytes, from, to) => this.#pushed(bytes, from, to),
      // What redirects to it would tell nobody.
      lost: (lost) => this.lane.drop(lost),
      mapChanged: () => {},
      onlyListens: true,
    });
    return this.#pushers.toPrimary(node)?.clientId || null;
  }

  #pushed(bytes: Buffer, from: number, to: number): void {
    if (this.#isHeard) tellInvalidation(this.#client, bytes, from, to);
  }

  /** Also while it is being left: what was read through it may be kept still. */
  get #isHeard(): boolean {
    const { isClosed, session } = this.#client;
    const { tracking, resp } = session;
    if (isClosed || tracking?.since !== this.#tracking.since) return false;
    return resp === 3 || tracking.redirect > 0;
  }

  #forgetAll(): void {
    if (this.#isHeard) tellInvalidation(this.#client, INVALIDATE_ALL, 0, INVALIDATE_ALL.length);
  }

  /** With BCAST every primary tells of its keys, whether they were read or not. */
  #connect(): void {
    if (this.#tracking.mode !== 'bcast' || this.lane.clients === 0) return;
    const { map } = this.#client.home;
    const missing = map.primaries().filter((node) => this.lane.toPrimary(node) === null);
    if (missing.length > 0 || !map.isComplete) this.#connectLater();
  }

  #connectLater(): void {
    if (this.#timer || this.#tracking.mode !== 'bcast' || this.lane.clients === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#connect();
    }, RETRY_MS);
    this.#timer.unref();
  }
}
