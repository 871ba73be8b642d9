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
  const ofShard = faults.filter(({ shards }) => shards.includes(shard));
  const excuses = missing.map(({ endedMs }) => {
    const away = ({ beganMs }: FaultTime): number => Math.abs(endedMs - beganMs);
    const [nearest] = [...ofShard].sort((a, b) => away(a) - away(b));
    return nearest && away(nearest) <= WINDOW_MS ? nearest : null;
  });
  return excuses.includes(null) ? null : excuses[0]!;
}
