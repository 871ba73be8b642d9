/**
 * What to do now: for each problem its remedy, as the steps that may run side by side in this pass. Reads like a table
 * of contents; a step appears only when the view shows that all it needs is there, so planning again after every pass
 * is all that resuming takes.
 */
import { type Database, shardNames } from '../domain/database.ts';
import { placeholderOf } from '../domain/ids.ts';
import { SLOT_COUNT } from '../domain/slots.ts';
import { requiredAcknowledgements } from '../domain/spec.ts';
import type { DatabaseView } from '../domain/view.ts';
import { leaveFailingDisk } from './capacity.ts';
import { leftovers } from './copies.ts';
import { bringsData } from './damage.ts';
import { diagnose, diagnoseShard, presentMembers, unmetPeers } from './diagnose.ts';
import { areFarBehind, bestCandidate, isCurrent, promotionMode, unheardCopies } from './failover.ts';
import { clearRetired, handOver, makeCopy, retireCopy } from './moves.ts';
import { shutOut } from './overridden.ts';
import { type Seat, switchesFrom } from './placement/primaries.ts';
import { HARMLESS, type Problem, type ProblemCode } from './problems.ts';
import { type Action, type Remedy, type Situation, shardOf, switchOver, targetOf } from './remedy.ts';
import { activeJob, retireShard, WHILE_SLOTS_MOVE } from './reshard.ts';
import { logsEveryWrite } from './settings.ts';
import { changeSettings, writeUsers } from './settings-remedies.ts';
import { moveSlots } from './slot-moves.ts';
import {
  deadCopyToPrefer,
  isOff,
  lostWithMachine,
  startFollowing,
  startOwner,
  startReplica,
  startToBeHeard,
} from './starts.ts';
import type { Step } from './step.ts';
import { hasHistory, isInSync, isWhole, linkTo, type Member, memberOf, nodeIds, shardTopology } from './topology.ts';
import { mayBeItsOwn, unfinishedImport } from './unfinished-import.ts';

/** A remedy that a gate forbids for now. */
export interface Blocked {
  because: ProblemCode;
  reason: string;
}

export interface Plan {
  problems: Problem[];
  steps: Step[];
  blocked: Blocked[];
}

/** The remedies. A problem that is not here mends itself, or needs a person. */
const REMEDIES: Partial<Record<ProblemCode, Remedy>> = {
  database_unwanted: removeEverything,
  primary_dead: replacePrimary,
  shard_down: startShard,
  primary_unborn: claimSlots,
  node_missing: createNode,
  replica_down: startReplica,
  stranger_known: forgetStrangers,
  nodes_unacquainted: introduce,
  primary_orphaned: stopOrphan,
  replica_unattached: attachReplica,
  replica_syncing: proveSync,
  disk_failing: leaveFailingDisk,
  settings_differ: changeSettings,
  users_differ: writeUsers,
  copies_short: makeCopy,
  primary_leaving: handOver,
  copy_surplus: retireCopy,
  node_overridden: shutOut,
  node_left_behind: clearRetired,
  head_missing: makeHead,
  slots_misplaced: moveSlots,
  shard_leaving: retireShard,
  primary_elsewhere: changePlaces,
  majority_on_machine: levelPrimaries,
};

/** Decides what to do about a database as it was seen. */
export type Planner = (database: Database, view: DatabaseView) => Plan;

/** The problems, the steps that may run side by side now, and what a gate forbids. */
export const plan = (database: Database, view: DatabaseView): Plan =>
  remedies(database, view, diagnose(database, view));

/** Decides what to do about one shard as an agent saw it. */
export type ShardPlanner = (database: Database, view: DatabaseView, shard: string) => Plan;

/** What an agent plans by itself: for one shard, and only that its slots be served and its nodes run. */
export const planShard: ShardPlanner = (database, view, shard) =>
  remedies(database, view, diagnoseShard(database, view, shard));

function remedies(database: Database, view: DatabaseView, problems: Problem[]): Plan {
  const steps: Step[] = [];
  const blocked: Blocked[] = [];
  for (const problem of problems) {
    for (const action of REMEDIES[problem.code]?.({ database, view, problems }, problem) ?? []) {
      if ('blocked' in action) blocked.push({ because: problem.code, reason: action.blocked });
      else steps.push(Object.freeze(action));
    }
  }
  return { problems, ...oneTakeoverAtATime(steps, blocked) };
}

/** A takeover raises the epoch without anyone's consent: two at once could choose the same one. */
function oneTakeoverAtATime(steps: Step[], blocked: Blocked[]): Pick<Plan, 'steps' | 'blocked'> {
  const takeovers = steps.filter((step) => step.kind === 'promote' && step.args.mode === 'takeover');
  const waiting = takeovers.slice(1);
  return {
    steps: steps.filter((step) => !waiting.includes(step)),
    blocked: [...blocked, ...waiting.map(({ because }) => ({ because, reason: 'one takeover at a time' }))],
  };
}

function removeEverything(situation: Situation): Action[] {
  const { database, view } = situation;
  const removed = new Set(view.machines.filter(({ state }) => state === 'removed').map(({ name }) => name));
  const nodes = database.nodes.filter(({ machine }) => !removed.has(machine));
  const members = nodes.map((node) => memberOf(node, view));
  const left = leftovers(database);
  if (left.length === 0 && members.every(({ view: { process } }) => process.state === 'absent')) {
    return [{ kind: 'delete_record', target: database.name, args: {}, expects: {}, because: 'database_unwanted' }];
  }
  const removals = members
    .filter(({ view: { process } }) => process.state !== 'absent')
    .map(
      ({ assignment, view: { process } }): Action =>
        process.state === 'unknown' || process.state === 'off'
          ? { blocked: `the agent of ${assignment.machine} must answer before ${assignment.id} can be removed there` }
          : { kind: 'remove_node', target: assignment.id, args: {}, expects: {}, because: 'database_unwanted' },
    );
  return [...removals, ...left.flatMap((problem) => clearRetired(situation, problem))];
}

function createNode(situation: Situation, problem: Problem): Step[] {
  const shard = shardOf(situation, problem);
  const { assignment } = targetOf(situation, problem);
  const born = shard.owner !== null || situation.database.observedGeneration > 0;
  const birth = born ? 'replica' : assignment.birth.role;
  return [
    {
      kind: 'create_node',
      target: assignment.id,
      args: { birth },
      expects: { process: 'absent' },
      because: problem.code,
    },
  ];
}

function claimSlots(situation: Situation, problem: Problem): Step[] {
  const { assignment } = targetOf(situation, problem);
  const expects = { role: 'replica', primaryId: placeholderOf(assignment.id) } as const;
  return [{ kind: 'claim_slots', target: assignment.id, args: {}, expects, because: problem.code }];
}

/**
 * Promote before restart: a dead primary's process is started only once another owns its slots, or nobody can; or when
 * its log has every write and the copies may lack many.
 */
function replacePrimary(situation: Situation, problem: Problem): Action[] {
  const shard = shardOf(situation, problem);
  const dead = targetOf(situation, problem);
  const hasData = bringsData(dead);
  const { settings = null, claimIsOld = false } = dead.view.disk ?? {};
  // By an old claim it may be the primary no more, and have missed what its successor has.
  const { overridden, spec } = situation.database;
  const said = overridden[dead.assignment.id];
  const hasEverything = hasData && logsEveryWrite(settings) && !claimIsOld && !said;
  const candidate = bestCandidate(shard, said?.to);
  const unheard = said?.loseAcknowledged ? null : unheardCopies(shard, requiredAcknowledgements(spec), hasEverything);
  if (candidate && unheard && !hasEverything) return [{ blocked: unheard }, ...startToBeHeard(shard, problem.code)];
  const imported = candidate ? unfinishedImport(candidate, dead, situation.view) : 'none';
  if (imported === 'undecided') return [{ blocked: mayBeItsOwn(dead) }];
  const isBehind = candidate !== null && (!isCurrent(candidate) || areFarBehind(shard, situation.view.at));
  const lacksMuch = isBehind || imported === 'taken';
  if (candidate && !unheard && !(lacksMuch && hasEverything)) {
    const off = new Set(said ? [dead.assignment.machine, ...said.alsoOff] : []);
    const how = promotionMode(situation.database, situation.view, candidate, off);
    if ('refused' in how) return [{ blocked: how.refused }];
    const insteadOf = dead.assignment.id;
    const expects = { role: 'replica', primaryId: insteadOf } as const;
    const args = { insteadOf, mode: how.mode };
    return [{ kind: 'promote', target: candidate.assignment.id, args, expects, because: problem.code }];
  }
  if (isOff(dead)) return [{ blocked: lostWithMachine(dead) }];
  const unsettled = shard.members.find((member) => member !== dead && !member.dead && !isEmptyHanded(member));
  if (unsettled && !hasEverything) {
    const { id, machine } = unsettled.assignment;
    const how = hasData ? 'with an older state' : 'empty';
    return [
      { blocked: `it would start ${how} while ${id} on ${machine} may hold its data but cannot be promoted yet` },
    ];
  }
  const copy = deadCopyToPrefer(shard);
  return copy ? [startFollowing(copy, shard, problem.code)] : startOwner(dead, situation.view, problem.code);
}

/** It answers, has finished loading, and has nothing. */
const isEmptyHanded = ({ engine }: Member): boolean =>
  engine !== null && engine.keys === 0 && !hasHistory(engine) && !engine.loading && !engine.syncInProgress;

function startShard(situation: Situation, problem: Problem): Action[] {
  const shard = shardOf(situation, problem);
  const owner = targetOf(situation, problem);
  // The copy comes first, and is promoted once it has loaded its data.
  const copy = deadCopyToPrefer(shard);
  if (copy && shard.owner) return [startFollowing(copy, shard, problem.code)];
  if (isOff(owner)) return [{ blocked: lostWithMachine(owner) }];
  if (owner.view.process.state === 'absent') return createNode(situation, problem);
  return startOwner(owner, situation.view, problem.code);
}

function forgetStrangers(situation: Situation, problem: Problem): Step[] {
  const ids = nodeIds(situation.database);
  const { assignment, engine } = targetOf(situation, problem);
  const strangers = (engine?.peers ?? [])
    .filter((peer) => peer.met && !ids.has(peer.id) && peer.slots.length === 0)
    .map(({ id }) => id);
  return [{ kind: 'forget', target: assignment.id, args: { strangers }, expects: {}, because: problem.code }];
}

function introduce(situation: Situation, problem: Problem): Step[] {
  const member = targetOf(situation, problem);
  const present = presentMembers(situation.database, situation.view);
  const self = present.find(({ assignment }) => assignment.id === member.assignment.id)!;
  const peers = unmetPeers(self, present).map(({ id }) => id);
  return [{ kind: 'meet', target: member.assignment.id, args: { peers }, expects: {}, because: problem.code }];
}

/**
 * It can follow only a primary it has met, and is to follow only one whose slots it knows: elected in the place of
 * another it would own nothing, and delete the keys of slots that it believes somebody else to own.
 */
function attachReplica(situation: Situation, problem: Problem): Step[] {
  const { owner } = shardOf(situation, problem);
  const { assignment, engine } = targetOf(situation, problem);
  const primary = owner!.assignment.id;
  const { isEmpty } = shardOf(situation, problem);
  if (!engine?.peers.some((peer) => peer.id === primary && peer.met && (isEmpty || peer.slots.length > 0))) return [];
  return [
    {
      kind: 'replicate',
      target: assignment.id,
      args: { primary },
      expects: { ownsSlots: false },
      because: problem.code,
    },
  ];
}

/**
 * A primary with keys and no slots becomes a replica only by a fenced restart, and what it holds is lost with it: not
 * before the owner serves everything, by a later claim, with a history that is no shorter. Once it has ended it is a copy
 * that does not run, and `startReplica` does the rest.
 */
function stopOrphan(situation: Situation, problem: Problem): Action[] {
  const shard = shardOf(situation, problem);
  const { assignment, engine, view } = targetOf(situation, problem);
  const owner = shard.owner!.engine!;
  const [id, other] = [assignment.id, shard.owner!.assignment.id];
  const disputed = situation.problems.some(
    ({ code, shard: name }) => code === 'slots_claimed_twice' && name === shard.name,
  );
  if (disputed || owner.loading || !owner.clusterOk || owner.slotsOk < SLOT_COUNT) {
    return [{ blocked: `${id} is not stopped before ${other} serves its slots in a cluster that is whole` }];
  }
  if (owner.configEpoch <= engine!.configEpoch) {
    return [{ blocked: `${id} is not stopped: the claim of ${other} is not later than its own` }];
  }
  if (owner.keys === 0 || owner.offset < engine!.offset) {
    return [{ blocked: `${id} is not stopped: it may hold the last copy of writes that ${other} lacks` }];
  }
  if (view.process.state !== 'running') {
    return [{ blocked: `the agent of ${assignment.machine} must answer before ${id} is stopped` }];
  }
  const expects = { process: 'running', role: 'primary', ownsSlots: false } as const;
  return [{ kind: 'stop_node', target: id, args: {}, expects, because: problem.code }];
}

/** There are no slots to be voted about. */
function makeHead(situation: Situation, problem: Problem): Step[] {
  const { assignment, engine } = targetOf(situation, problem);
  if (engine?.role !== 'replica') return [];
  const args = { insteadOf: engine.primaryId ?? assignment.id, mode: 'takeover' } as const;
  const expects = { role: 'replica' } as const;
  return [{ kind: 'promote', target: assignment.id, args, expects, because: problem.code }];
}

/** Linked and online, but nothing came yet: a database that nobody writes to streams nothing. */
function proveSync(situation: Situation, problem: Problem): Step[] {
  const { owner, slots } = shardOf(situation, problem);
  const { assignment, engine } = targetOf(situation, problem);
  const link = linkTo(assignment, owner);
  if (!owner?.engine?.clusterOk || !engine?.linkUp || engine.syncInProgress || !link?.online) return [];
  if (engine.streamedBytes > 0 && link.ackedOffset > 0) return [];
  const expects = { role: 'primary', ownsSlots: slots.length > 0 } as const;
  return [{ kind: 'probe', target: owner.assignment.id, args: { slots }, expects, because: problem.code }];
}

/** A switchover that was asked for. One at a time: each needs the votes of the others' primaries. */
function changePlaces(situation: Situation, problem: Problem): Action[] {
  const first = situation.problems.find(({ code }) => code === problem.code);
  if (first !== problem) return [{ blocked: 'one switchover at a time' }];
  if (activeJob(situation.view)) return [{ blocked: WHILE_SLOTS_MOVE }];
  const { owner, members } = shardOf(situation, problem);
  const wanted = situation.database.wantedPrimaries[problem.shard!]!.node;
  const heir = members.find(({ assignment }) => assignment.id === wanted)!;
  if (!isInSync(heir, owner)) return [{ blocked: `${wanted} is not in sync with its primary` }];
  return [switchOver(heir, owner!, problem.code)];
}

/** One switchover at a time, and only when everything else is well. */
function levelPrimaries(situation: Situation, problem: Problem): Step[] {
  if (situation.problems.some(({ code }) => !HARMLESS.includes(code))) return [];
  const { database, view } = situation;
  const shards = shardNames(database).map((name) => shardTopology(database, view, name));
  const seats = shards.map((shard): Seat => {
    const able = isWhole(shard) && !database.wantedPrimaries[shard.name] ? shard.members : []; // a wish is not undone
    return {
      primary: shard.owner?.assignment.machine ?? null,
      copies: able.map(({ assignment }) => assignment.machine),
    };
  });
  const [first] = switchesFrom(seats, problem.machine!) ?? [];
  if (!first) return [];
  const { owner, members } = shards[first.seat]!;
  const heir = members.find((member) => member !== owner && member.assignment.machine === first.to)!;
  return [switchOver(heir, owner!, problem.code)];
}
