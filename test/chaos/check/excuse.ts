/**
 * What asynchronous replication may lose: writes acknowledged shortly before or after a fault began at their shard.
 * Everything else, and everything where acknowledgements of replicas are waited for, must hold.
 */
import type { Violation, ViolationKind } from './violation.ts';

const WINDOW_MS = 3_000;
const EXCUSABLE: ReadonlySet<ViolationKind> = new Set(['lost', 'resurrected', 'stale']);

/** A fault as it was carried out. */
export interface FaultTime {
  what: string;
  beganMs: number;
  /** As `database/shard`. */
  shards: readonly string[];
}

/** The fault that a violation of an `async` database is put down to, or null when nothing excuses it. */
export function excuseFor(violation: Violation, shard: string, faults: readonly FaultTime[]): FaultTime | null {
  const { kind, missing } = violation;
  if (!EXCUSABLE.has(kind) || missing.length === 0) return null;
  const near = faults.filter(({ shards }) => shards.includes(shard));
  const excuses = missing.map(({ endedMs }) => near.find(({ beganMs }) => Math.abs(endedMs - beganMs) <= WINDOW_MS));
  return excuses.every((one) => one !== undefined) ? excuses[0]! : null;
}
