/** What is gathered about a host before anything is judged: numbers and texts, null where they could not be had. */
import type { ClockReading } from '../trust/clock-offset.ts';

/** A TCP socket that somebody listens on. */
export interface Listener {
  port: number;
  /** Null when its process belongs to another user or namespace. */
  pid: number | null;
  program: string | null;
  /** The systemd unit it belongs to. */
  unit: string | null;
  /** A process that works in our data directory. */
  ours: boolean;
}

/** What a control plane told of its time. */
export type ClockFacts = { server: string } & ({ reading: ClockReading } | { problem: string });

export interface DiskFacts {
  /** The data directory, or the nearest folder above it that exists. */
  path: string;
  /** Such as `ext4`. */
  fileSystem: string | null;
  readOnly: boolean;
  freeBytes: number;
  totalBytes: number;
  /** Both 0 on file systems that do not count them. */
  freeInodes: number;
  totalInodes: number;
  /** What a write of 4 KiB and its fsync took in milliseconds, or why they failed. */
  sync: { ms: number } | { problem: string };
}

export interface EngineFacts {
  version: string;
  path: string;
  /** Whether it knows TLS; null when it did not say. */
  tls: boolean | null;
}

export interface HostFacts {
  /** Null: no control plane is known. */
  clock: ClockFacts | null;
  /** Where the API is to listen. */
  apiPort: number;
  /** Null: the kernel does not tell. */
  listeners: readonly Listener[] | null;
  /** Ports that the kernel gives to outgoing connections, both included. */
  outgoingPorts: { from: number; to: number } | null;
  /** Of these, those it does not give: as in `7000-7999,17000`. */
  reservedPorts: string;
  /** vm.overcommit_memory */
  overcommit: number | null;
  /** vm.swappiness */
  swappiness: number | null;
  /** net.ipv4.tcp_migrate_req */
  migrateRequests: number | null;
  /** net.core.somaxconn */
  listenBacklog: number | null;
  /** The chosen word of /sys/kernel/mm/transparent_hugepage/enabled. */
  hugePages: string | null;
  /** What this process, and so those it starts, may have open at the most. */
  openFilesLimit: number | null;
  /** What all processes together may. */
  openFilesOfHost: number | null;
  /** Or why the disk could not be looked at. */
  disk: DiskFacts | { problem: string; path: string };
  memoryBytes: number;
  swapBytes: number;
  swapUsedBytes: number;
  /** The least of what the control groups that we run in allow; null: none of them limits. */
  memoryLimit: { bytes: number; group: string } | null;
  engine: EngineFacts | { problem: string };
  /** As in `26.10.0`. */
  nodeVersion: string;
  /** As in `6.1.0-18-amd64`. */
  kernel: string;
}
