/** Planned switchovers: what may be asked for, and when a wish is over. */
import { type Database, shardNames, type WantedPrimary } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { shortId } from '../domain/ids.ts';
import type { DatabaseView } from '../domain/view.ts';
import { isInSync, type Member, shardTopology } from './topology.ts';

/** How long a switchover is tried, and what came of it left alone, in milliseconds. Then primaries are levelled again. */
const SWITCHOVER_MS = 10 * 60_000;

/** Which copy is to become the primary of a shard, instead of which. */
export interface Switchover {
  shard: string;
  from: string;
  to: string;
}

/**
 * What a switchover would do.
 * @param to a machine, or the beginning of a node's id; without it the copy that leaves the primaries most even
 * @throws shard_not_found, copy_not_found, switchover_refused
 */
export function switchoverOf(database: Database, view: DatabaseView, shard: string, to?: string): Switchover {
  const names = shardNames(database);
  const refused = (reason: string): ValkeeperError =>
    new ValkeeperError('switchover_refused', { name: database.name, shard, reason });
  if (!names.includes(shard)) {
    throw new ValkeeperError('shard_not_found', { name: database.name, shard, shards: names.join(', ') });
  }
  const { owner, members } = shardTopology(database, view, shard);
  if (owner?.engine?.role !== 'primary') throw refused('its primary does not answer');
  const able = members.filter((member) => isInSync(member, owner));
  const primaries = names.map((name) => shardTopology(database, view, name).owner?.assignment.machine ?? null);
  const heir = to === undefined ? leastCrowding(able, primaries) : namedCopy(database, members, shard, to);
  if (!heir) throw refused('no copy is in sync with its primary');
  if (heir === owner) throw refused(`${shortId(owner.assignment.id)} is its primary already`);
  if (!able.includes(heir)) throw refused(`${shortId(heir.assignment.id)} is not in sync with its primary`);
  return { shard, from: owner.assignment.id, to: heir.assignment.id };
}

function leastCrowding(able: readonly Member[], primaries: readonly (string | null)[]): Member | undefined {
  const count = ({ assignment: { machine } }: Member): number => primaries.filter((one) => one === machine).length;
  return [...able].sort((a, b) => count(a) - count(b))[0];
}

const SHORTEST_ID = 4;

/** The one copy that is meant. @param to a machine, or the beginning of a node's id @throws copy_not_found */
export function namedCopy({ name }: Database, members: readonly Member[], shard: string, to: string): Member {
  const found = members.filter(
    ({ assignment: { id, machine } }) => machine === to || (to.length >= SHORTEST_ID && id.startsWith(to)),
  );
  if (found.length === 1) return found[0]!;
  const copies = members.map(({ assignment: { id, machine } }) => `${shortId(id)} (${machine})`).join(', ');
  throw new ValkeeperError('copy_not_found', { name, shard, to, copies });
}

/** The record with the wish, which counts from now on. */
export function withWish(database: Database, { shard, to }: Switchover, now: number): Database {
  const wish: WantedPrimary = { node: to, until: now + SWITCHOVER_MS };
  return { ...database, wantedPrimaries: { ...database.wantedPrimaries, [shard]: wish } };
}

export interface EndedWish {
  shard: string;
  wanted: WantedPrimary;
  /** The copy is the primary. */
  isReached: boolean;
}

/** The wishes whose time is over, or whose copy is not part of the database any more. */
export function endedWishes(database: Database, view: DatabaseView): EndedWish[] {
  return Object.entries(database.wantedPrimaries).flatMap(([shard, wanted]) => {
    const isReached = shardTopology(database, view, shard).owner?.assignment.id === wanted.node;
    const isPointless = view.at >= wanted.until || database.nodes.every(({ id }) => id !== wanted.node);
    return isPointless ? [{ shard, wanted, isReached }] : [];
  });
}

/** The record without them, unless something else is wanted by now. */
export function withoutWishes(database: Database, ended: readonly EndedWish[]): Database {
  const left = Object.entries(database.wantedPrimaries).filter(([shard, { node, until }]) =>
    ended.every(({ shard: other, wanted }) => other !== shard || wanted.node !== node || wanted.until !== until),
  );
  return { ...database, wantedPrimaries: Object.fromEntries(left) };
}
