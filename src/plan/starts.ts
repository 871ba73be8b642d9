/** How the process of a node that ended is started again: as the owner that it was, or as a copy. */
import type { Ownership } from '../domain/start-as.ts';
import type { DatabaseView } from '../domain/view.ts';
import { bringsData, bringsWholeData, damageOf, isAboutAsNew, mendCopy, mendOwner } from './damage.ts';
import type { Problem, ProblemCode } from './problems.ts';
import { type Action, type Situation, shardOf, targetOf } from './remedy.ts';
import { logsEveryWrite } from './settings.ts';
import type { Step } from './step.ts';
import type { Member, ShardTopology } from './topology.ts';
import { mayBeItsOwn, servedElsewhere } from './unfinished-import.ts';

/** The dead copies of a dead owner, where one must be heard of before another is promoted: else neither would ever happen. */
export const startToBeHeard = (shard: ShardTopology, because: ProblemCode): Step[] =>
  shard.members
    .filter((member) => member !== shard.owner && member.dead && member.view.process.state === 'exited')
    .flatMap((member) => mendCopy(member, shard) ?? [startFollowing(member, shard, because)]);

/** On its own disk, once that can be loaded; what of its slots others serve it leaves to them. */
export function startOwner(owner: Member, view: DatabaseView, because: ProblemCode): Action[] {
  const mending = mendOwner(owner);
  if (mending) return mending;
  const yields = servedElsewhere(owner, view);
  if (yields === 'undecided') return [{ blocked: mayBeItsOwn(owner) }];
  return [startItself(owner, yields, because)];
}

/**
 * The dead copy to be started before the dead owner, if one is: the owner's disk is empty, or has only a snapshot while
 * a copy's log has been written since, as settings change on one node after the other. Started, the copy finds its
 * primary dead and is promoted in its place.
 */
export const deadCopyToPrefer = ({ members, owner }: ShardTopology): Member | undefined =>
  members.find(
    (member) => owner && member !== owner && member.dead && bringsWholeData(member) && bringsMore(member, owner),
  );

function bringsMore(copy: Member, owner: Member): boolean {
  if (!bringsData(owner)) return damageOf(owner) === null || isAboutAsNew(copy, owner);
  const [log, snapshot] = [copy.view.disk, owner.view.disk];
  if (!logsEveryWrite(log?.settings ?? null) || logsEveryWrite(snapshot?.settings ?? null)) return false;
  return (log?.dataAt ?? 0) > (snapshot?.dataAt ?? 0);
}

/** Its machine is off, and known to be. */
export const isOff = ({ view: { process } }: Member): boolean => process.state === 'off';

/** Why nothing can be done for a shard. */
export const lostWithMachine = ({ assignment: { id, machine } }: Member): string =>
  `${id} was on ${machine}, which is off, and no copy can take its place`;

/** A copy is started when its primary serves, or is being started in this very pass from its own disk. */
export function startReplica(situation: Situation, problem: Problem): Step[] {
  const shard = shardOf(situation, problem);
  const member = targetOf(situation, problem);
  const mending = mendCopy(member, shard);
  if (mending) return mending;
  const owner = shard.owner;
  if (owner?.engine?.role === 'primary') return [startFollowing(member, shard, problem.code)];
  const ownerStarts =
    owner?.dead === true &&
    damageOf(owner) === null &&
    deadCopyToPrefer(shard) === undefined &&
    shard.members.every(({ dead }) => dead);
  return ownerStarts ? [startFollowing(member, shard, problem.code)] : [];
}

/** With what lies on its disk. */
const startItself = ({ assignment }: Member, yields: readonly Ownership[], because: ProblemCode): Step => ({
  kind: 'start_node',
  target: assignment.id,
  args: { replicaOf: null, ...(yields.length > 0 ? { yields } : {}) },
  expects: { process: 'exited' },
  because,
});

/** Fenced, as a replica of the shard's owner. */
export const startFollowing = (
  { assignment }: Member,
  { owner, slots, configEpoch }: ShardTopology,
  because: ProblemCode,
): Step => ({
  kind: 'start_node',
  target: assignment.id,
  args: { replicaOf: { id: owner!.assignment.id, slots, configEpoch } },
  expects: { process: 'exited' },
  because,
});
