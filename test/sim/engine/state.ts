/** What a modelled engine process knows: itself, its peers, who owns which slots, and its data. Shapes only. */
import type { NodeId } from '../../../src/domain/ids.ts';
import type { SlotRange } from '../../../src/domain/slots.ts';
import type { Settings } from '../../../src/domain/view.ts';
import { keepsSnapshots, logsEveryWrite } from '../../../src/plan/settings.ts';
import type { Network } from '../network.ts';
import type { Random } from '../random.ts';
import type { Timeline } from '../timeline.ts';

/** The engine's own time-outs, in milliseconds (cluster_legacy.c and the directives of src/control/node-config.ts). */
export const NODE_TIMEOUT_MS = 5_000;
export const MANUAL_FAILOVER_MS = 1_000;
export const WRITABLE_DELAY_MS = 2_000;
export const BLACKLIST_MS = 60_000;
export const CRON_MS = 100;

export interface Peer {
  id: NodeId;
  host: string;
  port: number;
  role: 'primary' | 'replica';
  primaryId: NodeId | null;
  /** Nodes with a common replication history share it. */
  shardId: string;
  configEpoch: number;
  pfail: boolean;
  fail: boolean;
  failAt: number;
  /** When the ping that is not answered yet was sent; 0 without one. */
  pingSentAt: number;
  pingAgainAt: number;
  pongAt: number;
  dataAt: number;
  offset: number;
  /** Who said when that it fails. */
  reports: Map<NodeId, number>;
}

/** Somebody to be met: known by address only. */
export interface Handshake {
  host: string;
  port: number;
  since: number;
  meet: boolean;
  pingAgainAt: number;
}

/** What is kept of a data set: the writes in it, by number, in order, and its place in the replication history. */
export interface Copy {
  log: number[];
  replId: string;
  offset: number;
  /** When it was made, or, of a file, completed. */
  at: number;
}

/** A node's directory: what a process finds there when it starts. */
export interface Disk {
  nodesConf: string;
  /** The managed settings of valkey.conf. */
  conf: Settings;
  /** The mark of the ACL file. */
  aclMark: string | null;
  /** dump.rdb. */
  rdb: Copy | null;
  /** The append-only file, also when it is kept no longer. */
  aof: number[];
  /** The log file has bytes, if only of writes that left nothing behind. */
  aofHasBytes: boolean;
  /** When it was last written to. */
  aofAt: number;
}

/** What a process that starts there begins with. Its agent lets none load a snapshot where none is wanted. */
export const readLog = ({ conf, rdb, aof }: Disk): readonly number[] =>
  logsEveryWrite(conf) ? aof : keepsSnapshots(conf) ? (rdb?.log ?? []) : [];

export interface NodeIdentity {
  id: NodeId;
  host: string;
  port: number;
  machine: string;
  /** Index of the shard, and of the slot range it was made for. */
  shard: number;
}

/** How a node came to own slots. */
export type Cause = 'birth' | 'disk' | 'force' | 'takeover' | 'coordinated' | 'election';

/** What the parts of a process see of the world. */
export interface Around {
  timeline: Timeline;
  network: Network;
  random: Random;
  ranges: readonly SlotRange[];
  /** When the write was made. */
  writtenAt(id: number): number;
  /** A power cut took the writes from a disk. */
  unflushed(writes: readonly number[]): void;
}

/** A process as its own parts, and those of others, see it; the whole is in engine.ts. */
export interface Process {
  readonly id: NodeId;
  readonly identity: NodeIdentity;
  readonly around: Around;
  readonly now: number;
  readonly alive: boolean;
  readonly loading: boolean;
  readonly isStalled: boolean;
  readonly role: 'primary' | 'replica';
  readonly primaryId: NodeId | null;
  shardId: string;
  configEpoch: number;
  currentEpoch: number;
  lastVoteEpoch: number;
  readonly peers: Map<NodeId, Peer>;
  handshakes: Handshake[];
  /** The owner of each slot range in this node's eyes. */
  readonly owners: (NodeId | null)[];
  readonly safeToJoin: boolean;
  readonly quorum: number;
  ownedBy(id: NodeId): number[];
  isVoting(id: NodeId): boolean;
  epochOf(id: NodeId): number;
  epochOfPeer(id: NodeId): number;
  isForgotten(id: NodeId): boolean;
  addPeer(id: NodeId, host: string, port: number): Peer;
  follow(primaryId: NodeId, fullCopy: boolean): void;
  replacePrimary(cause: Cause): void;
  bumpEpoch(): void;
  updateState(): void;
  changed(): void;
  /** It gets something to do: at once, or when it goes on. */
  receive(work: () => void): void;
}

/** The cluster bus as elections use it. */
export interface Messenger {
  header(): Header;
  ping(peer: Peer): void;
  broadcast(message: Message): void;
  broadcastPong(): void;
  sendTo(id: NodeId, message: Message): void;
  /** Tells a node with an old picture who owns slots. */
  tellOwner(to: NodeId, owner: NodeId): void;
}

export interface Gossip {
  id: NodeId;
  host: string;
  port: number;
  failing: boolean;
}

/** What every message on the cluster bus says of its sender. */
export interface Header {
  id: NodeId;
  host: string;
  port: number;
  machine: string;
  role: 'primary' | 'replica';
  primaryId: NodeId | null;
  shardId: string;
  configEpoch: number;
  currentEpoch: number;
  /** Indexes of the slot ranges of its own, or of its primary. */
  slots: readonly number[];
  offset: number;
  paused: boolean;
}

export type Message = Header &
  (
    | { type: 'ping' | 'pong' | 'meet'; gossip: readonly Gossip[] }
    | { type: 'fail'; about: NodeId }
    | { type: 'update'; about: NodeId; epoch: number; owned: readonly number[] }
    | { type: 'auth-request'; force: boolean }
    | { type: 'auth-ack' }
    | { type: 'mf-start' }
  );
