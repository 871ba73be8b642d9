/** What was observed at one moment. `unknown` is a value: unreachable is not dead. All times are milliseconds since the epoch. */
import type { ArchiveView } from './archive.ts';
import type { NodeId } from './ids.ts';
import type { SlotMigration } from './reshard.ts';
import type { SlotRange } from './slots.ts';

/** What a machine's agent says of a node's process. Only an agent that answers can say that a process is gone. */
export type ProcessView =
  | { state: 'unknown' }
  /** Nobody hears of it, and a person said that its machine is off. */
  | { state: 'off' }
  /** The agent has no directory for this node. */
  | { state: 'absent' }
  | { state: 'running'; pid: number }
  /** Gone for certain: `stopped` when we asked for it, `died` otherwise. */
  | { state: 'exited'; how: 'stopped' | 'died'; at: number; detail: string };

/**
 * What a running process is about, by its own agent. `well`: it answers. `loading`: it reads its data. Else it does not
 * answer, or only that it is busy: `busy` it works, or waits for a processor; `silent` its event loop turns, and yet it
 * does not answer; `stopped` by a signal or a debugger; `disk` it waits for one; `hung` it does nothing at all.
 */
export type PulseState = 'well' | 'loading' | 'busy' | 'silent' | 'stopped' | 'disk' | 'hung';

export interface PulseView {
  state: PulseState;
  /** Milliseconds since the epoch, by the machine's clock. */
  since: number;
}

/** Engine settings by name, values as CONFIG GET shows them: several words separated by one space. */
export type Settings = Readonly<Record<string, string>>;

/** What lies in a node's directory, told by its agent. */
export interface DiskView {
  /** An AOF or RDB that holds something. */
  hasData: boolean;
  /** When what a start would load was last written; null when there is nothing. By the machine's clock. */
  dataAt: number | null;
  /** What its nodes.conf claims for itself; null when there is none or it cannot be read. */
  claim: {
    role: 'primary' | 'replica';
    primaryId: NodeId | null;
    slots: readonly SlotRange[];
    configEpoch: number;
  } | null;
  /** The claim is from the copy that its agent keeps of a nodes.conf that is gone or damaged: true of a while ago. */
  claimIsOld: boolean;
  /** What a start cannot be made from, as far as is known; null when nothing. */
  damage: DamageView | null;
  /** What was cut off last because it could not be read; null when nothing ever was. */
  cut: CutView | null;
  /** The managed settings of its valkey.conf; null when it cannot be read. */
  settings: Settings | null;
  /** The mark of its ACL file; null when it has none. */
  aclMark: string | null;
}

/** A data file that the engine cannot load. */
export interface DamageView {
  /** Within the node's directory. */
  file: string;
  /** What is wrong with it, after "because". */
  problem: string;
  /** It is the end of the append-only log: what can be read of it can be kept, and the rest be cut off. */
  cuttable: boolean;
}

/** The end of an append-only log that was cut off because it could not be read. */
export interface CutView {
  file: string;
  keptBytes: number;
  cutBytes: number;
  /** Path on its machine where the bytes that were cut off are kept. */
  aside: string;
  at: number;
}

/** Of files with which nothing is wrong. */
export const WHOLE_FILES = { claimIsOld: false, damage: null, cut: null } as const;

/** Another node as one node's gossip knows it. */
export interface PeerView {
  id: NodeId;
  host: string;
  port: number;
  role: 'primary' | 'replica';
  primaryId: NodeId | null;
  slots: readonly SlotRange[];
  configEpoch: number;
  /** It has been met: the handshake is over and its address is known. */
  met: boolean;
  /** FAIL in this node's eyes. */
  failed: boolean;
  linkUp: boolean;
}

/** A replica as its primary sees it. */
export interface ReplicaLink {
  host: string;
  port: number;
  online: boolean;
  /** Replication offset it has acknowledged, in bytes; 0 when it never has. */
  ackedOffset: number;
  /** Seconds since it last acknowledged. */
  ackAgeSeconds: number;
}

/** `rewrite`: the log, made anew to be shorter. */
export type FailingWrite = 'log' | 'rewrite' | 'snapshot';

/** What the node itself answered. */
export type EngineView =
  | { state: 'unknown'; reason: string }
  | {
      state: 'answering';
      id: NodeId;
      role: 'primary' | 'replica';
      /** The primary it follows. */
      primaryId: NodeId | null;
      slots: readonly SlotRange[];
      configEpoch: number;
      currentEpoch: number;
      clusterOk: boolean;
      /** Slots that this node knows to be served. */
      slotsOk: number;
      peers: readonly PeerView[];
      /** Reading its data from disk. */
      loading: boolean;
      /** Bytes of history it has written (primary) or applied (replica). */
      offset: number;
      /** Of which its offset counts: offsets of different histories cannot be compared. */
      history: string;
      /** Replicas only: the link to the primary. */
      linkUp: boolean;
      /** Replicas only: how long the link has been down; 0 while it is up, null when it never was. */
      linkDownSeconds: number | null;
      syncInProgress: boolean;
      /** Replicas only: bytes of the primary's stream that have come since the last full copy. */
      streamedBytes: number;
      /** Primaries only. */
      replicas: readonly ReplicaLink[];
      keys: number;
      usedMemoryBytes: number;
      /** Of it, what counts towards its limit: not what waits for replicas or for the log. */
      countedMemoryBytes: number;
      /** Of it, what keys and values take: not the replicas' backlog, nor buffers, nor the empty process. */
      dataBytes: number;
      /** What it could not write when it tried last. */
      failingWrites: readonly FailingWrite[];
      /** It would refuse writes for that, as a primary. */
      refusesWrites: boolean;
      /** How often within the last minute its log had to wait for the disk. */
      delayedFsyncs: number;
      /** The managed settings it has now. */
      settings: Settings;
      /** The mark of the users it has now; null when they have none. */
      aclMark: string | null;
      /** An append-only file is kept and holds all there is: none is being written for the first time. */
      logComplete: boolean;
      /** A snapshot is being written. */
      saving: boolean;
    };

export type AnsweringEngine = Extract<EngineView, { state: 'answering' }>;

export interface NodeView {
  process: ProcessView;
  /** Absent while it does not run, or nobody knows. */
  pulse?: PulseView;
  disk: DiskView | null;
  engine: EngineView;
  /** Absent while it is due for nothing, or has not waited for long. */
  postponed?: PostponedFork;
  /** Its jobs of slot migration, the latest first; absent while nobody asks, which is as long as no slots are to move. */
  migrations?: readonly SlotMigration[];
  /** What clients send it, over the last seconds; absent likewise. */
  receivedBytesPerSecond?: number;
  /** That it has not run for any time worth the name; null while it does, or nobody knows. */
  down: DownView | null;
}

/** What a node is due for and waits for; all in bytes. */
export interface PostponedFork {
  kind: 'snapshot' | 'rewrite';
  /** Too little memory is free; or others of its machine are at it, and have been for long. */
  reason: 'memory' | 'turn';
  neededBytes: number;
  availableBytes: number;
}

export interface DownView {
  since: number;
  /** How often its process was seen to have ended meanwhile, by the time at which it did. */
  deaths: number;
}

/** `active` takes new nodes; `draining` keeps those it has until they have moved away; `removed` is out of the fleet. */
export const MACHINE_STATES = ['active', 'draining', 'removed'] as const;
export type MachineState = (typeof MACHINE_STATES)[number];

export interface MachineView {
  name: string;
  /** Where its nodes listen. */
  address: string;
  /** Machines that fail together. */
  zone: string;
  /** It has credentials: nodes of new databases speak TLS there. */
  tls: boolean;
  state: MachineState;
  /** Its agent is connected. */
  connected: boolean;
  /** Since when `connected` has its value. */
  since: number;
  /** Memory that nodes may use, in bytes. */
  memoryBytes: number;
  /** Memory that assigned nodes reserve, in bytes. */
  reservedBytes: number;
  /** Null while it is not known: its agent is away, or runs none. */
  endpoint: EndpointView | null;
  /** Where its nodes write; absent while its agent has not told. */
  disk?: DiskSpace;
}

/** Of one file system, in bytes. */
export interface DiskSpace {
  freeBytes: number;
  totalBytes: number;
}

/** Below a twentieth, and below what a large log takes to be written anew. */
const FILLING = { share: 0.05, bytes: 16 * 1024 ** 3 };

/** Whether the disk of a machine is about to be full. What is not known is not. */
export const isFilling = ({ disk }: Pick<MachineView, 'disk'>): boolean =>
  disk !== undefined && disk.freeBytes < Math.min(disk.totalBytes * FILLING.share, FILLING.bytes);

/** The certificate that a machine's agent shows, told by it. */
export interface CertificateView {
  /** Hexadecimal digits in upper case. */
  serial: string;
  /** Milliseconds since the epoch. */
  notAfter: number;
  /** Why the last renewal failed; null when none did. */
  problem: string | null;
}

/** A machine's endpoint process, told by its agent. */
export interface EndpointView {
  /** Null while none runs. */
  pid: number | null;
  /** Where it tells its metrics (HTTP), at the machine's address; null: nowhere. */
  metricsPort: number | null;
  /** Why it does not serve at all; null when it serves, or has nothing to serve. */
  problem: string | null;
  /** What it serves; `problem`: why it does not serve this one. */
  databases: readonly { uid: string; port: number; problem: string | null }[];
}

export interface DatabaseView {
  at: number;
  machines: readonly MachineView[];
  nodes: ReadonlyMap<NodeId, NodeView>;
  /** The backup that is being made of it: its slots stay where they are meanwhile. */
  backup?: string | null;
  /** Its log is archived; absent when it is not. */
  archive?: ArchiveView;
}

/** A node nobody has heard anything of. */
export const UNKNOWN_NODE: NodeView = {
  process: { state: 'unknown' },
  disk: null,
  engine: { state: 'unknown', reason: 'not asked yet' },
  down: null,
};

/** The engine's answer, or null when it did not answer. */
export const answering = (node: NodeView | undefined): AnsweringEngine | null =>
  node?.engine.state === 'answering' ? node.engine : null;

/** Known for certain not to run. */
export const isKnownDead = (node: NodeView | undefined): boolean =>
  node?.process.state === 'exited' || node?.process.state === 'absent' || node?.process.state === 'off';

/** That a key takes; 0 where there is none. */
export const meanBytes = ({ dataBytes, keys }: Pick<AnsweringEngine, 'dataBytes' | 'keys'>): number =>
  keys === 0 ? 0 : dataBytes / keys;
