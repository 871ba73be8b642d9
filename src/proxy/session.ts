/** What the endpoint knows of a client beside its bytes: who it is, and what it has set. */
import type { Lane } from './lane.ts';
import type { Upstream } from './upstream.ts';

/** Commands between MULTI and EXEC. */
export interface Transaction {
  /** Whole frames, in order. */
  frames: Buffer[];
  /** Commands that are not for a node, and where they stand among all. */
  others: { name: string; frame: Buffer; place: number }[];
  bytes: number;
  /** Of its first key, -1 without one; and that key, for errors. */
  slot: number;
  key: Buffer | null;
  /** A command was refused: EXEC will be, too. */
  isSpoilt: boolean;
  /** What the endpoint cannot do within a transaction, though the engine could: EXEC says it. */
  impossible?: string;
  /** The database after its SELECTs; null without one. */
  db: number | null;
  /** Sent before the others where none of them makes the node look at the slot (MSETEX does not); its reply is dropped. */
  guard: Buffer | null;
  /** Of its EVALSHAs. */
  shas: string[];
}

/** Keys under WATCH: on a connection of the client's own. */
export interface Watch {
  upstream: Upstream;
  lane: Lane;
  node: number;
  /** All that are watched. */
  keys: Set<string>;
  /** The database its connection is in. */
  db: number;
  key: Buffer;
  slot: number;
  /** Its connection was lost: nobody knows whether the keys were changed. */
  isLost: boolean;
}

/** What was asked for with CLIENT TRACKING. */
export interface Tracking {
  readonly mode: 'default' | 'bcast' | 'optin' | 'optout';
  readonly noLoop: boolean;
  /** Of keys, with BCAST: as given; one empty prefix for all keys. */
  readonly prefixes: readonly Buffer[];
  /** The client that is told in its place; 0: itself. */
  readonly redirect: number;
  /** That client is gone. */
  readonly isBroken: boolean;
  /** Stands for the moment since which it tracks without an end. */
  readonly since: object;
}

/** What a session needs to know of a client's subscriptions. */
export interface SubscriptionCount {
  /** Channels, patterns and sharded channels. */
  readonly count: number;
  readonly channels: number;
  readonly patterns: number;
  readonly shardChannels: number;
  close(): void;
}

/** `127.0.0.1:6379`, `[::1]:6379`; a socket that is closed already has neither. */
export const addressOf = (host = '', port = 0): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** Host and port of an address, the host without brackets. */
export function partsOfAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), Number(address.slice(colon + 1))];
}

export class Session {
  readonly id: number;
  /** Address and port it comes from, and it came to. */
  readonly address: string;
  readonly localAddress: string;
  readonly connectedAt: number;
  user = 'default';
  /** As it was given; null for a user who enters without. */
  password: string | null = null;
  isAuthenticated = false;
  db = 0;
  resp: 2 | 3 = 2;
  name = '';
  libName = '';
  libVersion = '';
  capabilities: string[] = [];
  noEvict = false;
  noTouch = false;
  /** CLIENT IMPORT-SOURCE: it sees what has expired. */
  importSource = false;
  /** MONITOR. */
  isMonitor = false;
  /** Reads may go to replicas: READONLY, or the database's own policy. */
  readsReplicas = false;
  /** CLIENT REPLY; `skip`: only the next command is not answered. */
  replies: 'on' | 'off' | 'skip' = 'on';
  /** CLIENT TRACKING; null: off. */
  tracking: Tracking | null = null;
  /** CLIENT CACHING for the next command. */
  caching: 'yes' | 'no' | null = null;
  transaction: Transaction | null = null;
  watch: Watch | null = null;
  subscriptions: SubscriptionCount | null = null;
  lastCommand = '';
  lastCommandAt: number;
  commands = 0;

  constructor(id: number, address: string, localAddress: string, now: number) {
    this.id = id;
    this.address = address;
    this.localAddress = localAddress;
    this.connectedAt = now;
    this.lastCommandAt = now;
  }

  /** Nothing of it stands between a command and its node. */
  get isPlain(): boolean {
    return (
      this.isAuthenticated &&
      this.transaction === null &&
      this.caching === null &&
      this.replies === 'on' &&
      !this.isSubscriberOnly
    );
  }

  /** RESP2 clients with a subscription may do nothing else. */
  get isSubscriberOnly(): boolean {
    return this.resp === 2 && this.subscriptions !== null && this.subscriptions.count > 0;
  }
}
