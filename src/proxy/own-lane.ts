/**
 * Which lane a client uses: the one it shares, or one of its own when it has asked the engine for something that belongs
 * to a connection (CLIENT TRACKING, CLIENT NO-TOUCH). Keys that it read are remembered by those connections: with each that ends the
 * client is told to forget everything it keeps.
 */
import type { CommandArgument } from '../resp/encode.ts';
import type { Home, OwnLaneEvents } from './home.ts';
import type { Lane, LaneIdentity } from './lane.ts';
import type { Session, Tracking } from './session.ts';

/** Of all keys. */
const INVALIDATE_ALL = Buffer.from('>2\r\n$10\r\ninvalidate\r\n_\r\n');
const RETRY_MS = 100;

const NO_TOUCH: readonly CommandArgument[] = ['CLIENT', 'NO-TOUCH', 'ON'];
const NOTHING_HEARD: OwnLaneEvents = { push: () => {}, lost: () => {}, mapChanged: () => {} };

/** A client, as far as its lane is concerned. */
export interface LaneClient {
  readonly session: Session;
  readonly home: Home;
  readonly isClosed: boolean;
  push(bytes: Buffer, from: number, to: number): void;
}

/** The lane for this identity and what the session has set; to be left by whoever takes it. */
export function laneFor(client: LaneClient, identity: LaneIdentity): Lane {
  const { tracking, noTouch } = client.session;
  const { home } = client;
  const setup = noTouch ? [NO_TOUCH] : [];
  // In RESP2 nobody would be told.
  if (tracking !== null && identity.resp === 3) return new TrackingLane(client, identity, tracking, setup).lane;
  return noTouch ? home.openOwnLane(identity, setup, NOTHING_HEARD) : home.joinLane(identity);
}

/** CLIENT TRACKING ON as it was asked for. */
function setupOf({ mode, noLoop, prefixes }: Tracking): CommandArgument[] {
  const options: CommandArgument[] = mode === 'default' ? [] : [mode];
  if (noLoop) options.push('NOLOOP');
  for (const prefix of prefixes) if (prefix.length > 0) options.push('PREFIX', prefix);
  return ['CLIENT', 'TRACKING', 'ON', ...options];
}

class TrackingLane {
  readonly lane: Lane;
  readonly #client: LaneClient;
  readonly #tracking: Tracking;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    client: LaneClient,
    identity: LaneIdentity,
    tracking: Tracking,
    setup: readonly (readonly CommandArgument[])[],
  ) {
    this.#client = client;
    this.#tracking = tracking;
    this.lane = client.home.openOwnLane(identity, [...setup, setupOf(tracking)], {
      push: (bytes, from, to) => {
        if (this.#isHeard) client.push(bytes, from, to);
      },
      lost: (_, wasReady) => {
        if (wasReady) this.#forgetAll();
        this.#connectLater();
      },
      mapChanged: () => {
        this.#forgetAll();
        this.#connectLater();
      },
    });
    this.#connect();
  }

  /** Also while it is being left: what was read through it may be kept still. */
  get #isHeard(): boolean {
    const { isClosed, session } = this.#client;
    return !isClosed && session.tracking !== null && session.resp === 3;
  }

  #forgetAll(): void {
    if (this.#isHeard) this.#client.push(INVALIDATE_ALL, 0, INVALIDATE_ALL.length);
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
