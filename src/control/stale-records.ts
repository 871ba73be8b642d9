/**
 * What a server that does not lead can tell by itself: what stands in the store. Nothing of it was looked at, so every
 * node is unknown; it is told while nobody leads, when an old answer is better than none.
 */
import { ValkeeperError } from '../domain/errors.ts';
import type { Event } from '../domain/event.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import type { Clock } from '../platform/clock.ts';
import { openEventLog } from '../store/events.ts';
import type { Store } from '../store/store.ts';
import type { EventQuery } from './control-plane.ts';
import { Databases } from './databases.ts';
import { unseenStatus } from './known-status.ts';

export interface StaleRecords {
  databases(): Promise<DatabaseStatus[]>;
  /** @throws database_not_found */
  database(name: string): Promise<DatabaseStatus>;
  events(query: EventQuery): Promise<Event[]>;
}

/** Reads the store anew with each call. Every call throws what the store throws. */
export function staleRecords(store: Store, clock: Clock): StaleRecords {
  const databases = async (): Promise<DatabaseStatus[]> =>
    (await Databases.open(store)).all().map((database) => unseenStatus(database, clock.now()));
  return {
    databases,
    database: async (name) => {
      const found = (await databases()).find((database) => database.name === name);
      if (!found) throw new ValkeeperError('database_not_found', { name });
      return found;
    },
    events: async (query) => (await openEventLog(store)).list(query),
  };
}
