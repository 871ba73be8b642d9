/**
 * Which copies of a shard are to be relied on, which are to go, and what is missing. Nothing of it is stored: it follows
 * from what is wanted of the machines and from how long something has been away, so that a drain that is resumed, or a
 * machine that comes back in time, needs nothing undone.
 */
import type { Database } from '../domain/database.ts';
import { shortId } from '../domain/ids.ts';
import { isToLeave } from '../domain/reshard.ts';
import type { DatabaseView, NodeView } from '../domain/view.ts';
import { keptFor } from './kept.ts';
import type { Problem } from './problems.ts';
import { isInSync, type Member, type ShardTopology } from './topology.ts';

/** `leaving`: its machine is being emptied. `lost`: its machine is away, `failed`: it has not run, for too long. */
export type CopyStanding = 'counts' | 'leaving' | 'lost' | 'failed';

const machinesByName = keptFor(
  (machines: DatabaseView['machines']) => new Map(machines.map((machine) => [machine.name, machine])),
);

/** What is to be said of one copy. */
export function standingOf(
  { assignment, engine, dead, view: node }: Member,
  { spec }: Database,
  view: DatabaseView,
): CopyStanding {
  const machine = machinesByName(view.machines).get(assignment.machine);
  if (machine && machine.state !== 'active') return 'leaving';
  const delayMs = spec.replaceAfterSeconds * 1_000;
  // A node that answers serves, whatever has become of its agent.
  if (engine) return 'counts';
  if (machine && !machine.connected && view.at - machine.since >= delayMs) return 'lost';
  if (dead && node.down && view.at - node.down.since >= delayMs && isGivenUp(node)) return 'failed';
  return 'counts';
}

/** A process that has ended so often died of its own: it was started again, and did not stay. */
const DEATHS = 3;

/** A node that cannot be made, or does not stay however often it is started. */
const isGivenUp = ({ process, down }: NodeView): boolean =>
  process.state === 'absent' || (down !== null && down.deaths >= DEATHS);

/** How many copies each shard is to have, its primary among them. */
const wantedCopies = ({ spec }: Database): number => spec.replicas + 1;

export interface Copies {
  /** Those to be relied on. */
  counting: Member[];
  /** The copies that are to stay, as many as are wanted or fewer. */
  keepers: Member[];
  /** The others. */
  going: Member[];
}

/**
 * Who stays: first who counts; among these the owner, then who is in sync, then who was there first. So a machine that
 * comes back while its copy is being made anew keeps its own.
 */
export function copiesOf(database: Database, shard: ShardTopology, view: DatabaseView): Copies {
  const rank = (member: Member): number =>
    (standingOf(member, database, view) === 'counts' ? 0 : 4) +
    (member === shard.owner ? 0 : isInSync(member, shard.owner) ? 1 : 2);
  const ranked = shard.members.map((member, order) => ({ member, order, rank: rank(member) }));
  ranked.sort((a, b) => a.rank - b.rank || a.order - b.order);
  const wanted = wantedCopies(database);
  return {
    counting: shard.members.filter((member) => standingOf(member, database, view) === 'counts'),
    keepers: ranked.slice(0, wanted).map(({ member }) => member),
    going: ranked.slice(wanted).map(({ member }) => member),
  };
}

/** What is wrong with the number of a shard's copies; nothing before the database has been there once. */
export function countProblems(database: Database, shard: ShardTopology, view: DatabaseView): Problem[] {
  if (database.observedGeneration === 0) return [];
  if (shard.isEmpty && database.reshard && isToLeave(database.reshard.goal, shard.name)) return [];
  const { counting, going } = copiesOf(database, shard, view);
  const wanted = wantedCopies(database);
  const away = shard.members.flatMap((member) => awayProblem(member, database, view));
  if (counting.length < wanted) {
    const params = { shard: shard.name, count: counting.length, wanted };
    return [...away, { code: 'copies_short', shard: shard.name, params }];
  }
  const last = going.at(-1);
  if (!last) return away;
  const { id, machine } = last.assignment;
  const code = last === shard.owner ? 'primary_leaving' : 'copy_surplus';
  return [
    ...away,
    { code, shard: shard.name, node: id, machine, params: { shard: shard.name, node: shortId(id), machine } },
  ];
}

function awayProblem(member: Member, database: Database, view: DatabaseView): Problem[] {
  const standing = standingOf(member, database, view);
  if (standing !== 'lost' && standing !== 'failed') return [];
  const { id, shard, machine } = member.assignment;
  const params = { node: shortId(id), shard, machine, seconds: database.spec.replaceAfterSeconds };
  return [{ code: standing === 'lost' ? 'copy_lost' : 'copy_failed', shard, node: id, machine, params }];
}

/** Nodes that were replaced, of which something may be left. */
export const leftovers = ({ retired }: Database): Problem[] =>
  retired.map(({ id, shard, machine }) => ({
    ...{ code: 'node_left_behind' as const, shard, node: id, machine },
    params: { node: shortId(id), machine },
  }));
