/** Taking a machine out of the fleet that has nodes and does not come back: what is lost by it, and what the records say then. */
import { type Database, shardNames } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { counted } from '../domain/template.ts';

export interface RemovalWish {
  /** It is off for good. */
  isOff: boolean;
  /** Even if there is no copy elsewhere of some of what it has. */
  loseData: boolean;
}

export interface RemovedMachine {
  name: string;
  /** Its agent is heard of. */
  connected: boolean;
  /** Nodes there, and what is left of former ones. */
  nodes: number;
}

/**
 * @param gone machines that were removed before
 * @throws machine_in_use, machine_not_off, and removal_unconfirmed, which states what may be lost and the exact override
 */
export function requireRemovable(
  { name, connected, nodes }: RemovedMachine,
  { isOff, loseData }: RemovalWish,
  databases: readonly Database[],
  gone: ReadonlySet<string>,
): void {
  if (isOff && connected) throw new ValkeeperError('machine_not_off', { name });
  if (nodes === 0) return;
  if (connected) throw new ValkeeperError('machine_in_use', { name, nodes });
  const lost = databases.flatMap((database) => lostShards(database, new Set([...gone, name])));
  if (isOff && (lost.length === 0 || loseData)) return;
  const consequences = [
    'Taken out, it votes no more and the others decide without it: what it, or others that are lost with it, acknowledged and no other copy has is lost.',
    'If it still runs and clients reach it, what it acknowledges from now on is lost, too.',
    ...lost.map((shard) => `There is no copy elsewhere of ${shard}: its data is lost for good.`),
  ];
  const flags = ['--is-off', ...(lost.length > 0 ? ['--lose-data'] : [])];
  const command = `valkeeper machine remove ${name} ${flags.join(' ')}`;
  const params = { name, nodes: counted(nodes, 'node'), consequences: consequences.join(' '), command };
  throw new ValkeeperError('removal_unconfirmed', params);
}

/** Shards all of whose copies are on these machines. */
function lostShards(database: Database, gone: ReadonlySet<string>): string[] {
  if (database.deleting) return [];
  const kept = new Set(database.nodes.filter(({ machine }) => !gone.has(machine)).map(({ shard }) => shard));
  return shardNames(database)
    .filter((shard) => !kept.has(shard))
    .map((shard) => `${shard} of ${database.name}`);
}

/** The record once a machine is gone for good: whatever comes back of it is nobody's primary any more. */
export function withoutMachine(database: Database, machine: string, now: number): Database {
  const there = database.nodes.filter((node) => node.machine === machine);
  if (there.length === 0) return database;
  const said = { at: now, until: now, to: null, alsoOff: [], loseAcknowledged: false };
  const overridden = Object.fromEntries(there.map(({ id }) => [id, database.overridden[id] ?? said]));
  return { ...database, overridden: { ...database.overridden, ...overridden } };
}
