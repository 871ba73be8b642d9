/**
 * What a control plane and an agent say to each other: JSON texts over one WebSocket that the agent opens.
 * The agent speaks first (`hello`), then tells every change of a node at once; the control plane sends requests, each
 * answered once. Plain types, no schema library: agents stay small. Both sides check `protocol` before anything else.
 */

import type { ErrorDocument } from '../domain/errors.ts';
import type { FailoverRecord } from '../domain/failover.ts';
import type { NodeId } from '../domain/ids.ts';
import type { GuardedDatabase, VoterList } from '../domain/roster.ts';
import type { StartAs } from '../domain/start-as.ts';
import type {
  CertificateView,
  CutView,
  DiskSpace,
  DiskView,
  EndpointView,
  PostponedFork,
  ProcessView,
  PulseView,
} from '../domain/view.ts';
import type { EndpointDatabase, WriterPace } from './endpoint-messages.ts';

/** Raised with every change that an older peer would misread. */
export const AGENT_PROTOCOL = 10;

/** Path of the control plane's WebSocket for agents. */
export const AGENT_PATH = '/agent/v1';

/** Longest message either side accepts, in bytes. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** A node as its agent knows it. */
export interface NodeReport {
  id: NodeId;
  database: string;
  databaseUid: string;
  port: number;
  process: Exclude<ProcessView, { state: 'unknown' } | { state: 'off' } | { state: 'absent' }>;
  /** Null while it does not run. Told when its state has lasted (src/plan/pulse.ts), not at once. */
  pulse: PulseView | null;
  disk: DiskView;
  /** It is due to save or to write its log anew, and has to wait. */
  postponed?: PostponedFork;
}

export interface Hello {
  type: 'hello';
  protocol: number;
  machine: string;
  address: string;
  zone: string;
  /** Memory this machine gives to nodes, in bytes; 0: it is a witness. */
  memoryBytes: number;
  pid: number;
  /** Of this run of the agent, at random: the same agent that connects again is told from a second one. */
  instance: string;
  engineVersion: string;
  /** What it shows of itself; null on a local machine, whose agent comes with a token. */
  certificate: CertificateView | null;
  /** It has credentials: nodes of new databases speak TLS there, and only TLS. */
  tls: boolean;
  nodes: NodeReport[];
  /** Null when this machine has no endpoint. */
  endpoint: EndpointView | null;
  /** Where it answers other agents, at its address; null: it takes no part in votes. */
  neighbourPort: number | null;
}

/** A node's process or directory changed. */
export interface NodeChanged {
  type: 'node';
  node: NodeReport;
}

/** A node's directory is gone. */
export interface NodeRemoved {
  type: 'node-removed';
  id: NodeId;
}

/** The endpoint process, or what it serves, is not as it was told last. */
export interface EndpointChanged {
  type: 'endpoint';
  endpoint: EndpointView;
}

/** The certificate was renewed, or could not be. */
export interface CertificateChanged {
  type: 'certificate';
  certificate: CertificateView;
}

/** How much room there is where nodes write, now and whenever it has changed by much. */
export interface DiskTold {
  type: 'disk';
  disk: DiskSpace;
}

/** A failover that this agent made; told again until `forget_failover` names its version. */
export interface FailoverTold {
  type: 'failover';
  record: FailoverRecord;
  /** Of the record: it grows with what becomes known after the end. */
  version: number;
}

export type Reply =
  | { type: 'reply'; id: number; result: unknown }
  | { type: 'reply'; id: number; error: ErrorDocument };

export type FromAgent =
  | Hello
  | NodeChanged
  | NodeRemoved
  | EndpointChanged
  | CertificateChanged
  | DiskTold
  | FailoverTold
  | Reply;

/** Everything an agent needs to create a node. */
export interface NodeConfig {
  id: NodeId;
  database: string;
  databaseUid: string;
  port: number;
  /** It speaks TLS, and only TLS: to clients, to its primary and on the cluster bus. */
  tls: boolean;
  /**
   * Lines of valkey.conf beyond what the agent itself decides (directory, port, addresses, log): the directive's name,
   * then its arguments, each quoted on its own.
   */
  directives: readonly (readonly [name: string, ...args: string[]])[];
  /** Text of the ACL file. */
  aclFile: string;
  /** Password of the user `valkeeper`. */
  adminPassword: string;
  /** First nodes.conf. */
  nodesConf: string;
  /** It begins with the data that came for it (`seed_node`). */
  seeded?: boolean;
}

/** What a node is to begin with. */
export type SeedFile = 'rdb' | 'log';

/** A file of a node's append-only log. */
export interface AppendLogFile {
  name: string;
  /** `base`: the data at a moment; `incr`: what was written from then on. */
  type: 'base' | 'incr';
  /** Its number: files of a log follow one another. */
  seq: number;
  bytes: number;
  /** It is of the log as a start would load it; else only what is kept of before. */
  isPresent: boolean;
}

/** The requests, with their arguments and results. */
export interface AgentRequests {
  /** Makes the directory and starts the process; done when it accepts connections. Repeating it is harmless. */
  create_node: { args: NodeConfig; result: { pid: number } };
  /**
   * A piece of the RDB with which a node is to begin, that is made next, or of the log that goes on from there; the first,
   * at 0, begins anew. `data` in base64. `end` with the last: the whole is taken only if it is that. Answered with how many
   * bytes there are.
   */
  seed_node: {
    args: { id: NodeId; what: SeedFile; offset: number; data: string; end: { bytes: number; sha256: string } | null };
    result: { bytes: number };
  };
  /** The RDB and the log that came for the node become one RDB. It takes as long as a start with both. */
  replay_seed: { args: { id: NodeId }; result: { bytes: number } };
  /**
   * The files of the node's append-only log. They are kept, whatever the engine does, until a later list or
   * `drop_append_log` lets go of them: of before those from the number `from` on. `at`: the agent's time, in ms since the
   * epoch, before their sizes were looked at. `life`: of the process, none has the same. `isLong`: it was fetched in so many
   * pieces that the node is to write it anew when its turn comes.
   */
  list_append_log: {
    args: { id: NodeId; from: number; isLong: boolean };
    result: { pid: number; life: string; at: number; files: AppendLogFile[] };
  };
  /** A piece of a file that was listed, in base64: a megabyte, less at its end. */
  read_append_log: { args: { id: NodeId; file: string; offset: number }; result: { data: string } };
  /** Nothing of the node's log need be kept any more. */
  drop_append_log: { args: { id: NodeId }; result: Record<string, never> };
  /** Memory that a child of the node may take, and that is free on the machine, in bytes; null of a node that has not answered. */
  fork_room: { args: { id: NodeId }; result: { neededBytes: number; availableBytes: number } | null };
  /**
   * Writes valkey.conf anew, as a whole or not at all; the process is left alone. Not written, with the reason, while a
   * start by it would not find the data, or when another process runs than the one that was looked at.
   */
  configure_node: {
    args: { id: NodeId; pid: number; directives: NodeConfig['directives'] };
    result: { written: true } | { written: false; reason: string };
  };
  /** Writes the ACL file anew; a process that runs is left alone. */
  write_users: { args: { id: NodeId; aclFile: string }; result: Record<string, never> };
  /**
   * `after`: when its last process ended, as its agent told it: what was decided of that end is not done after another,
   * for meanwhile it may have been the owner.
   */
  start_node: { args: { id: NodeId; as: StartAs; after?: number }; result: { pid: number } };
  /** Ends this process of the node: cleanly, by force after `graceMs`. Not when another process runs than the one named. */
  stop_node: { args: { id: NodeId; pid: number; graceMs: number }; result: { stopped: boolean } };
  /**
   * A replica is promoted in the place of this node, which has ended here. Only the agent that saw it end promotes: two
   * who do so at once could choose different ones. `declined`: it may not decide now, somebody else must.
   */
  replace_primary: {
    args: { id: NodeId; by: NodeId; mode: 'force' | 'takeover' };
    result:
      | { result: 'done' }
      | { result: 'retry'; reason: string }
      | { result: 'blocked'; reason: string }
      | { result: 'declined'; reason: string };
  };
  /** The end of its append-only log that cannot be read is cut off and kept beside it. Refused while the node runs. */
  cut_log: { args: { id: NodeId }; result: CutView };
  /** Data that cannot be loaded is put aside, the last such kept; it starts empty then. Refused while the node runs. */
  set_data_aside: { args: { id: NodeId }; result: Record<string, never> };
  /** Stops it at once and removes its directory. Refused when `databaseUid` is not the node's. */
  remove_node: { args: { id: NodeId; databaseUid: string }; result: Record<string, never> };
  /** `count` client ports that are free now, with their bus ports, none of them in `avoid`. */
  free_ports: { args: { count: number; avoid: readonly number[] }; result: { ports: number[] } };
  /** Which of these ports somebody listens on at the machine's address. */
  taken_ports: { args: { ports: readonly number[] }; result: { taken: number[] } };
  /** From now on the machine's endpoint serves exactly these databases; without any, none runs. */
  serve_endpoint: { args: { databases: readonly EndpointDatabase[] }; result: Record<string, never> };
  /** The endpoint is to ask the nodes of this database (by uid) for the slot map at once. */
  nudge_endpoint: { args: { database: string }; result: Record<string, never> };
  /** Holds for a few seconds, and is told again as long as it is to. An agent of a time before this refuses it. */
  pace_endpoint: { args: WriterPace; result: Record<string, never> };
  /** The longest time of late that the endpoint held back commands of this database (by uid) that the node took at last. */
  endpoint_waited: { args: { database: string; node: NodeId }; result: { waitedMs: number } };
  /** A successor takes over; old connections end between commands, at the latest after `drainMs`. */
  replace_endpoint: { args: { drainMs: number }; result: { pid: number } };
  /** The control plane has this version of the record: it need not be told again. */
  forget_failover: { args: { id: string; version: number }; result: Record<string, never> };
  /**
   * Who votes. Durable when it is answered; `version` is that of the list which the agent has then, and a later one than
   * was sent when it had that before.
   */
  set_voters: { args: VoterList; result: { version: number } };
  /** The databases with something on this machine, exactly these: what its agent may act on by itself. */
  guard_databases: { args: { databases: readonly GuardedDatabase[] }; result: Record<string, never> };
  /** Last lines of a node's log, or of the agent's own (`id` null). */
  read_log: { args: { id: NodeId | null; lines: number }; result: { text: string } };
  /** Ends the endpoint, stops every node cleanly (SIGTERM; SIGKILL after `graceMs`), all at once, then the agent exits. */
  shut_down: { args: { graceMs: number }; result: Record<string, never> };
}

export type AgentOperation = keyof AgentRequests;

export interface Request<O extends AgentOperation = AgentOperation> {
  type: 'request';
  id: number;
  operation: O;
  args: AgentRequests[O]['args'];
}

/** Sent once after `hello`: the control plane has read it. */
export interface Welcome {
  type: 'welcome';
  protocol: number;
  /** Null: of a control plane that is the only one, and leads always. */
  term: FleetTerm | null;
  /** Where the servers of the fleet are, to be tried when this one is gone; none: only this one. */
  servers: readonly string[];
  /** A connection on which nothing came for so long is dead, in ms; the control plane sends pings more often. */
  silenceMs: number;
}

/** Sent instead of it, before closing: the agent is not let in. One of another version only gets the closing. */
export interface Refused {
  type: 'refused';
  error: ErrorDocument;
}

/** A time of leading. Numbers only grow within one fleet, whoever leads; those of two fleets have nothing in common. */
export interface FleetTerm {
  fleet: string;
  number: number;
}

/** The servers of the fleet are not those of the welcome any more. */
export interface ServersChanged {
  type: 'servers';
  servers: readonly string[];
}

export type ToAgent = Welcome | Refused | ServersChanged | Request;
