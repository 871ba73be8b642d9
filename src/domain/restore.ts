/** A database that comes into being with the data of a backup. */
import type { NodeId } from './ids.ts';

/** One node's beginning: the data of one shard of the backup. */
export interface Seed {
  /** The part's name in its place; of an archive the chain's id. */
  part: string;
  /** Bytes of the RDB. */
  bytes: number;
  sha256: string;
  /** Of an archive: the log that goes on from there, up to the moment; none where nothing was written. */
  log?: { bytes: number; sha256: string };
}

/**
 * Its first primaries have the shards and slots of the backup, and begin with their data; nobody is let in before all
 * of it is there. Then its slots go to as many shards as were asked for, while it is used.
 */
export interface Restore {
  /** A backup, the RDB file of one server, or an archive. */
  kind: 'backup' | 'file' | 'archive';
  /** Of the backup; of a file its path; of an archive the database and the moment. */
  id: string;
  /** Where the backup lies, without secrets; of a file its folder. */
  place: string;
  /** Only of an archive: whose, and the moment in whole seconds since the epoch. */
  archive?: { database: string; uid: string; at: number };
  /** By node that is to be a primary. */
  seeds: Readonly<Record<NodeId, Seed>>;
  /** As many shards as there are to be in the end. */
  shards: number;
  /** `load`: data is on its way to the nodes. `spread`: all of it is there, and the slots are still to be given to others. */
  stage: 'load' | 'spread';
  /** Milliseconds since the epoch. */
  startedAt: number;
}

/** Nobody is let in: it does not have all of its data yet. */
export const isLoading = ({ restore }: { restore: Restore | null }): boolean => restore?.stage === 'load';
