/** What clients of one database share, and what they need of each other. */

import type { EndpointDatabase } from '../protocol/endpoint-messages.ts';
import type { CommandScanner } from '../resp/command-scanner.ts';
import type { Acknowledging } from './acknowledging.ts';
import type { Busy } from './busy.ts';
import type { Command } from './commands/command-index.ts';
import type { Histogram } from './histogram.ts';
import type { Lane, LaneIdentity, SetupFor } from './lane.ts';
import type { Limits } from './limits.ts';
import type { Monitors } from './monitors.ts';
import type { TlsTo } from './node-tls.ts';
import type { Pacing } from './pacing.ts';
import type { Pause } from './pause.ts';
import type { ScriptCache } from './script-cache.ts';
import type { Sender } from './sender.ts';
import type { Session } from './session.ts';
import type { SlotMap } from './slot-map.ts';

/** A command that blocks its client. */
export interface Blocked {
  /** The engine's id of the connection that waits, and the index of its node; 0 and -1 when it waits at none. */
  readonly engineClientId: number;
  readonly node: number;
  /** The client is gone. */
  abandon(): void;
  /** Ends a wait that is not at a node, as CLIENT UNBLOCK does. @returns whether there was something to end */
  unblock?(withError: boolean): boolean;
}

/** Bytes of a client: read and written in all, and read but not yet used. */
export interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly carried: number;
}

/** A client as others see it. */
export interface Peer {
  readonly session: Session;
  /** The command it waits for, while it does. */
  readonly blockedOn: Blocked | null;
  readonly traffic: Traffic;
  readonly isClosed: boolean;
  readonly inFlight: number;
  readonly unread: number;
  close(): void;
  closeAfterReplies(): void;
  /** Out of band data. */
  push(bytes: Buffer, from: number, to: number): void;
}

export interface Counts {
  accepted: number;
  rejected: number;
  bytesIn: number;
  bytesOut: number;
  errorReplies: number;
  protocolErrors: number;
  /** Clients closed by a limit: of bytes of a command, of replies not taken, of all memory, of time. */
  longCommands: number;
  slowClients: number;
  largeClients: number;
  lateLogins: number;
  idleClients: number;
  /** Connections that were turned away since TLS is required; TLS handshakes that came to nothing. */
  plainRefused: number;
  failedHandshakes: number;
  /** Writes that had to wait for their turn because their slots were on their way. */
  paced: number;
  /** Commands at which the endpoint itself failed. */
  defects: number;
}

/** What the one client of a lane is told. */
export interface OwnLaneEvents {
  /** Out of band data from the node with this index, whole; the bytes may be changed, and are used up afterwards. */
  push(bytes: Buffer, from: number, to: number, node: number): void;
  /** A connection ended; `wasReady` when it was ever made. */
  lost(node: number, wasReady: boolean): void;
  /** Slots have other owners. */
  mapChanged(): void;
  /** Its client has left it. */
  left?(): void;
  /** No client writes by it. */
  onlyListens?: true;
}

/** Takes the commands that are not plain. */
export interface Dispatcher<C> {
  dispatch(
    client: C,
    command: Command,
    scanner: CommandScanner,
    bytes: Buffer,
    from: number,
    to: number,
    hasWaited?: boolean,
  ): void;
  unknown(client: C, scanner: CommandScanner, bytes: Buffer, from: number): void;
}

/** Asks the other workers of the endpoint the same question. */
export type AskOthers = (question: WorkerQuestion) => Promise<string[]>;

/** What one worker can be asked about its clients of a database. */
export type WorkerQuestion =
  | { ask: 'list'; database: string; args: string[] }
  | { ask: 'kill'; database: string; args: string[] }
  | { ask: 'unblock'; database: string; args: string[] }
  | { ask: 'pause'; database: string; args: string[] }
  /** To a client that another redirects to: its id, and the push in base64; an empty one only asks for the client. */
  | { ask: 'invalidate'; database: string; args: string[] }
  | { ask: 'counts'; database: string }
  /** For a node, by its id: how long its commands waited of late. */
  | { ask: 'waited'; database: string; args: string[] };

export interface Home {
  /** Milliseconds since the epoch, a tenth of a second exact. */
  readonly now: number;
  readonly startedAt: number;
  readonly engineVersion: string;
  /** The user `default` needs no password. */
  readonly entersFreely: boolean;
  /** The database's own policy sends reads to replicas. */
  readonly readsReplicasByDefault: boolean;
  readonly database: EndpointDatabase;
  readonly map: SlotMap;
  readonly sender: Sender;
  /** Whether and how replicas must acknowledge what is written. */
  readonly acknowledging: Acknowledging;
  readonly limits: Limits;
  readonly counts: Counts;
  /** Bytes of all commands and replies that are under way. */
  readonly underWay: { bytes: number };
  /** There are more of them than may be: whoever has most is closed. */
  relieve(): void;
  /** A command met an error that should not exist. */
  defect(error: unknown): void;
  /** Commands taken, by the command's number. */
  readonly operations: Float64Array;
  readonly latency: { endpoint: Histogram; engine: Histogram };
  readonly scripts: ScriptCache;
  readonly pause: Pause;
  readonly pacing: Pacing;
  readonly busy: Busy;
  readonly monitors: Monitors;
  // biome-ignore lint/suspicious/noExplicitAny: the client's own type would make the files import each other
  readonly dispatcher: Dispatcher<any>;
  readonly peers: ReadonlyMap<number, Peer>;
  /** Of clients that have not said who they are: leads nowhere. */
  readonly strangersLane: Lane;
  /** Of Valkeeper's own user: for what the endpoint itself asks nodes. */
  readonly adminLane: Lane;
  readonly askOthers: AskOthers;
  readonly tlsTo: TlsTo;
  /** The shared lane; whoever takes it leaves it. */
  joinLane(identity: LaneIdentity): Lane;
  /** A lane of the client's own; whoever opens it leaves it. */
  openOwnLane(identity: LaneIdentity, setupFor: SetupFor, events: OwnLaneEvents): Lane;
  leaveLane(lane: Lane): void;
  /** The slot map may be wrong. */
  suspect(): void;
  forget(client: Peer): void;
}
