/** Memory that a node takes from its machine: what it may fill with data, and what it needs beside that. */
import { type DatabaseSpec, memoryBytesPerNode } from '../../domain/spec.ts';

/** All in bytes. */
export interface Reserve {
  /** `maxmemory`: keys and values, clients' output buffers, the replication backlog. The engine counts them all. */
  dataBytes: number;
  /**
   * What the engine does not count, or cannot bound: pages that are written while a fork saves or copies, and so exist
   * twice; what replicas have not taken yet beyond the backlog, once for all of them; the buffer of the append-only
   * file; what the allocator has split too small to use.
   */
  spareBytes: number;
  /** The program itself, its stacks and its links to the other nodes. */
  processBytes: number;
  totalBytes: number;
}

/** A quarter of the data. A fork that lasts while everything is written anew would need as much as the data: see docs/placement.md. */
const SPARE_SHARE = 0.25;
/** An empty valkey-server takes about 3 MiB; a hundred links to other nodes and a thousand clients take the rest. */
const PROCESS_BYTES = 16 * 1024 ** 2;

/** What a node of this spec reserves. */
export function reserveOf(spec: DatabaseSpec): Reserve {
  const dataBytes = memoryBytesPerNode(spec);
  const spareBytes = Math.ceil(dataBytes * SPARE_SHARE);
  return { dataBytes, spareBytes, processBytes: PROCESS_BYTES, totalBytes: dataBytes + spareBytes + PROCESS_BYTES };
}

/** Memory that a node of this spec reserves on its machine, in bytes. */
export const reservedBytesPerNode = (spec: DatabaseSpec): number => reserveOf(spec).totalBytes;
