import type { Database } from '../domain/database.ts';
import type { DatabaseStatus } from '../domain/status.ts';

/** A status seen before the latest wish. */
export function sinceThen({ deleting, spec, generation }: Database, seen: DatabaseStatus): DatabaseStatus {
  if (deleting) return { ...seen, state: 'deleting' };
  return seen.generation < generation ? { ...seen, state: 'updating', spec, generation } : seen;
}
