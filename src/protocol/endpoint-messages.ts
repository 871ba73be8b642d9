/**
 * What an agent tells the endpoint process of its machine: a file that says what to serve, and lines over a Unix socket
 * in the machine's folder, each answered by one line. Plain types, no schema library: both sides stay small.
 */

import type { SlotRange } from '../domain/slots.ts';
import type { ClientTls, ReadPolicy } from '../domain/spec.ts';
import type { TlsFiles } from '../domain/tls-directives.ts';

/** Raised with every change that an older peer would misread. */
export const ENDPOINT_PROTOCOL = 4;

/** In the machine's folder; both sides run with it as their working directory, so that the path stays short. */
export const ENDPOINT_CONFIG_FILE = 'endpoint.json';
export const ENDPOINT_SOCKET = 'endpoint.sock';

/** What one endpoint process serves. Written whole and atomically by the agent; read at start and at `reload`. */
export interface EndpointConfig {
  protocol: number;
  machine: string;
  /** Where it listens. */
  address: string;
  zone: string;
  /** What it shows and believes, on both sides; read again at `reload`. Null: the machine has no credentials. */
  tls: TlsFiles | null;
  /** Processes that share the work, the endpoint's own included. */
  workers: number;
  /** Where it tells its metrics (HTTP), at the machine's address; null: nowhere. */
  metricsPort: number | null;
  databases: EndpointDatabase[];
}

export interface EndpointDatabase {
  name: string;
  uid: string;
  port: number;
  users: EndpointUser[];
  /** Of the user `valkeeper`, with which the endpoint asks nodes for the slot map. */
  adminPassword: string;
  read: ReadPolicy;
  /** Replicas that must have a write before it is answered; 0: none. */
  acknowledgements: number;
  /** Whether clients may speak plain text; TLS is offered wherever the machine has credentials. */
  tls: ClientTls;
  /** Which topology a client sees: the endpoint as one node (when absent), or the true one. */
  clusterView?: 'endpoint' | 'nodes';
  nodes: EndpointNode[];
}

export interface EndpointUser {
  name: string;
  /** Hexadecimal; null: enters without a password. */
  passwordSha256: string | null;
}

export interface EndpointNode {
  id: string;
  /** Whose certificate it shows. */
  machine: string;
  host: string;
  port: number;
  /** It speaks TLS, and only TLS. */
  tls: boolean;
  zone: string;
}

/** For so long a pace holds that is not told again: nobody is left paced by who is gone. */
export const PACE_HOLDS_MS = 3_000;

/** How fast clients of a database (by uid) may write to slots that are on their way. */
export interface WriterPace {
  database: string;
  slots: readonly SlotRange[];
  /** Through one endpoint, all its workers together; null: as fast as they can, from now on. */
  bytesPerSecond: number | null;
}

/** One line of JSON each, answered in order. */
export type ToEndpoint =
  /** Read the file again and serve what it says now. */
  | { do: 'reload' }
  /** Something changed in this database (by uid): ask the nodes for the slot map at once. */
  | { do: 'look'; database: string }
  /** An endpoint of a time before this refuses it, and paces nobody. */
  | ({ do: 'pace' } & WriterPace)
  /** Start a successor, hand it the sockets, and end when the clients have gone or `drainMs` has passed. */
  | { do: 'hand-over'; drainMs: number }
  /** The longest time of late, in milliseconds, that commands were held back for this node (by id). */
  | { do: 'waited'; database: string; node: string }
  | { do: 'status' };

export type FromEndpoint = { ok: true; status?: EndpointStatus; waitedMs?: number } | { ok: false; error: string };

export interface EndpointStatus {
  pid: number;
  startedAt: number;
  /** On its way out: a successor has taken over. */
  draining: boolean;
  databases: {
    name: string;
    uid: string;
    port: number;
    clients: number /** Why it does not listen. */;
    problem: string | null;
  }[];
}
