/** A database that begins with the data of a backup: what is said of it, and when all of it is there. */
import { type Database, shardNames } from '../domain/database.ts';
import { isLoading } from '../domain/restore.ts';
import type { RestoreStatus } from '../domain/status.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Problem } from './problems.ts';
import { shardTopology } from './topology.ts';

/** The shards whose primary has loaded its part and taken its slots. */
const served = (database: Database, view: DatabaseView): number =>
  shardNames(database).filter((name) => {
    const { owner, slots } = shardTopology(database, view, name);
    return owner?.engine?.role === 'primary' && !owner.engine.loading && slots.length > 0;
  }).length;

/** What is to be said of it while its data is on its way. */
export function restoreProblems(database: Database, view: DatabaseView): Problem[] {
  const { name, restore } = database;
  if (!isLoading(database)) return [];
  const shards = shardNames(database).length;
  return [{ code: 'restoring', params: { name, id: restore!.id, count: shards - served(database, view), shards } }];
}

/** How it gets its data; null when it has it. */
export function restoreStatus({ restore }: Database): RestoreStatus | null {
  if (restore === null) return null;
  const { id, place, stage, shards, seeds, startedAt } = restore;
  const bytes = Object.values(seeds).reduce((sum, seed) => sum + seed.bytes, 0);
  return { id, place, stage, shards, bytes, since: new Date(startedAt).toISOString() };
}

/** Every shard has all that the backup has of it: people may be let in. */
export const isRestored = (database: Database, view: DatabaseView): boolean =>
  isLoading(database) && served(database, view) === shardNames(database).length;
