/** What can be said of a database that nobody has looked at, or not since its spec was changed. */
import type { Database } from '../domain/database.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import { UNKNOWN_NODE } from '../domain/view.ts';
import { statusOf } from '../plan/status.ts';

/** Its record, with nothing known of its nodes. */
export function unseenStatus(database: Database, nowMs: number): DatabaseStatus {
  const nodes = new Map(database.nodes.map(({ id }) => [id, UNKNOWN_NODE]));
  return statusOf(database, { at: nowMs, machines: [], nodes }, [], new Map(), new Map());
}

/** A status seen before the latest wish. */
export function sinceThen({ deleting, spec, generation, reshard }: Database, seen: DatabaseStatus): DatabaseStatus {
  if (deleting) return { ...seen, state: 'deleting' };
  if (reshard?.paused && seen.reshard?.state === 'moving') {
    return { ...seen, reshard: { ...seen.reshard, state: 'paused' } };
  }
  return seen.generation < generation ? { ...seen, state: 'updating', spec, generation } : seen;
}
