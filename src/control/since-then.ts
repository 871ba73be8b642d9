/** A status and a wish, of which the wish may be the later. */
import type { Database } from '../domain/database.ts';
import type { DatabaseStatus } from '../domain/status.ts';

/** A status seen before the latest wish, with what is known of that. */
export function sinceThen({ deleting, spec, generation }: Database, seen: DatabaseStatus): DatabaseStatus {
  if (deleting) return { ...seen, state: 'deleting' };
  return seen.generation < generation ? { ...seen, state: 'updating', spec, generation } : seen;
}
