/** What is published about a database: its state, its shards as they are, and the conditions that hold. */
import type { NodeId } from './ids.ts';
import type { ReshardEstimate } from './reshard.ts';
import type { SlotRange } from './slots.ts';
import type { DatabaseSpec } from './spec.ts';

/**
 * `ready`: this generation observed, all slots served, every replica in sync. `degraded`: was ready, is not now.
 * `creating` and `updating`: on the way to a generation for the first time. `deleting`: on the way out.
 */
export type DatabaseState = 'creating' | 'ready' | 'degraded' | 'updating' | 'deleting';

export type Severity = 'info' | 'warning' | 'error';

/** A problem as published: it holds now, since then, and this is what to do. */
export interface Condition {
  /** Code of the problem, from the catalogue in src/plan/problems.ts. */
  code: string;
  severity: Severity;
  /** What is the case, with names and figures. */
  message: string;
  /** What Valkeeper does about it, or what a person should. */
  advice: string;
  /** Why the latest attempt to mend it did not succeed; absent when there was none, or it did. */
  lastTry?: string;
  /** What it is about. */
  shard?: string;
  node?: NodeId;
  machine?: string;
  /** ISO time at which it was first seen. */
  since: string;
}

export interface NodeStatus {
  nodeId: NodeId;
  host: string;
  port: number;
  /** Null when no process is known to run. */
  pid: number | null;
  machine: string;
  /** `unknown`: neither the node nor its agent answers. */
  state: 'running' | 'down' | 'unknown';
}

export interface ReplicaStatus extends NodeStatus {
  /** Bytes of history it has not acknowledged; null when its primary does not know it. */
  lagBytes: number | null;
  inSync: boolean;
}

export interface ShardStatus {
  id: string;
  slots: SlotRange[];
  /** Null when nobody is known to serve the shard: a dead node is never shown as primary. */
  primary: NodeStatus | null;
  replicas: ReplicaStatus[];
}

export interface EndpointAddress {
  host: string;
  port: number;
  /** With the user, without the password. */
  url: string;
}

/** `leaving`: all slots are there, and shards without any are being taken out. */
export type ReshardState = 'moving' | 'paused' | 'stuck' | 'leaving';

export interface ReshardJobStatus {
  from: string;
  to: string;
  slots: number;
  phase: string;
  remainingBytes: number;
  /** So many bytes a second may be written to its slots through each endpoint; null: as many as come. */
  paced: number | null;
}

export interface ReshardStatus {
  state: ReshardState;
  /** Back to what was before. */
  cancels: boolean;
  /** ISO time. */
  since: string;
  /** The number of shards before. */
  from: number;
  /** All that were to move, and those that are still to. */
  slots: number;
  left: number;
  /** Since it began. */
  slotsPerSecond: number;
  /** At this rate; null before there is one. */
  secondsLeft: number | null;
  /** The job that is under way. */
  job: ReshardJobStatus | null;
  /** What was to be expected when it began. */
  estimate: ReshardEstimate;
}

/** The archive of a database's log, in short. */
export interface DatabaseArchive {
  place: string;
  /** ISO times: what can be restored, without the gaps before; null: nothing yet. */
  from: string | null;
  until: string | null;
}

/** How a database gets the data of a backup. */
export interface RestoreStatus {
  /** Of the backup. */
  id: string;
  place: string;
  /** `load`: nobody is let in. `spread`: it is used, and gets the number of shards that was asked for. */
  stage: 'load' | 'spread';
  /** As many as it is to have in the end. */
  shards: number;
  /** Of the RDB files, together. */
  bytes: number;
  /** ISO time. */
  since: string;
}

export interface DatabaseStatus {
  name: string;
  state: DatabaseState;
  spec: DatabaseSpec;
  generation: number;
  /** The latest generation that was fully reached. */
  observedGeneration: number;
  conditions: Condition[];
  /** The one address that hides the cluster: the first of `endpoints` that serves; null while none does. */
  endpoint: EndpointAddress | null;
  /** One at every machine; any of them will do. */
  endpoints: (EndpointAddress & { machine: string; serves: boolean })[];
  /** How far slots are on their way; null when none are to move. */
  reshard: ReshardStatus | null;
  /** It comes into being with the data of a backup; null when it has it. */
  restore: RestoreStatus | null;
  /** Its log is archived; null when it is not. */
  archive: DatabaseArchive | null;
  /** Addresses for cluster-aware clients. */
  clusterEndpoints: { host: string; port: number }[];
  shards: ShardStatus[];
}
