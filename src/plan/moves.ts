/**
 * Copies move by being made anew: a further one first, then, if the primary is to go, a switchover, and what is to go
 * last of all. At every moment as many copies are there as before.
 */
import { type Database, shardNames, specNow } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import { SLOT_COUNT } from '../domain/slots.ts';
import { counted } from '../domain/template.ts';
import type { DatabaseView } from '../domain/view.ts';
import { type CopyStanding, copiesOf, standingOf } from './copies.ts';
import { machinesFor } from './layout.ts';
import { describeAddition } from './placement/addition.ts';
import { type FurtherPlaces, furtherPlaces } from './placement/further.ts';
import type { PlacedCopy } from './placement/layout.ts';
import { reservedBytesPerNode, shapeOf } from './placement.ts';
import type { Problem } from './problems.ts';
import { type Action, type Situation, shardOf, switchOver } from './remedy.ts';
import { activeJob, WHILE_SLOTS_MOVE } from './reshard.ts';
import { isInSync, type Member, type ShardTopology, shardTopology } from './topology.ts';

/** One further copy of a shard that has too few. */
export function makeCopy(situation: Situation, problem: Problem): Action[] {
  const { database, view, problems } = situation;
  const shard = shardOf(situation, problem);
  const { owner, members, name } = shard;
  const unfit = ownerObstacle(shard) ?? (activeJob(view) && WHILE_SLOTS_MOVE);
  if (unfit) return [{ blocked: `${name} gets no further copy: ${unfit}` }];
  if (members.length >= mostCopies(database)) {
    return [{ blocked: `${name} has ${members.length} copies already, of which too few run` }];
  }
  const source = owner!.assignment.machine;
  const busy = shardBuiltFrom(source, situation);
  if (busy) return [{ blocked: `${name} waits for its turn: a copy of ${busy} is being made from ${source}` }];
  const short = problems.filter(({ code }) => code === problem.code).map((one) => one.shard!);
  const { places, add } = placesFor(database, view, short);
  const { machine } = places[short.indexOf(name)]!;
  if (machine === null) {
    return [{ blocked: `no machine can take a copy of ${name}${add ? `: add ${describeAddition(add)}` : ''}` }];
  }
  const present = members.map(({ assignment }) => assignment.id);
  return [{ kind: 'add_copy', target: name, args: { machine, present }, expects: {}, because: problem.code }];
}

/** A copy that fails again and again is made anew, but not without end. */
const mostCopies = ({ spec }: Database): number => 2 * (spec.replicas + 1) + 1;

/** The primary has to serve, in a cluster that has its majority: who is alone might not be the primary any more. */
function ownerObstacle({ owner }: ShardTopology): string | null {
  if (owner?.engine?.role !== 'primary') return 'its primary does not answer';
  if (owner.engine.loading) return 'its primary still reads its data';
  if (!owner.engine.clusterOk || owner.engine.slotsOk < SLOT_COUNT) return 'not all slots are served';
  return null;
}

/** Each copy begins with a fork of its primary: one at a time on a machine. The shard that has its turn, or null. */
function shardBuiltFrom(machine: string, { database, view }: Situation): string | null {
  const shards = shardNames(database).map((name) => shardTopology(database, view, name));
  const from = shards.filter(({ owner }) => owner?.assignment.machine === machine);
  const building = from.find(({ members, owner }) =>
    members.some(
      (member) => member !== owner && standingOf(member, database, view) === 'counts' && !isInSync(member, owner),
    ),
  );
  return building?.name ?? null;
}

/**
 * Places for one further copy of each of these shards. The machine of a copy that has failed is taken only where no other
 * can take one.
 */
function placesFor(database: Database, view: DatabaseView, shards: readonly string[]): FurtherPlaces {
  const away = furtherFor(database, view, shards, () => true);
  if (away.places.every(({ machine }) => machine !== null)) return away;
  const anywhere = furtherFor(database, view, shards, (standing) => standing !== 'failed');
  return anywhere.places.every(({ machine }) => machine === null) ? away : anywhere;
}

function furtherFor(
  database: Database,
  view: DatabaseView,
  shards: readonly string[],
  isInTheWay: (standing: CopyStanding) => boolean,
): FurtherPlaces {
  const copies = shardNames(database).flatMap((name) => {
    const { members, owner } = shardTopology(database, view, name);
    return members.flatMap((member): PlacedCopy[] => {
      const standing = standingOf(member, database, view);
      if (!isInTheWay(standing)) return [];
      const { machine } = member.assignment;
      return [{ shard: name, machine, primary: member === owner, counts: standing === 'counts' }];
    });
  });
  const layout = { shape: shapeOf(database.spec), copies };
  return furtherPlaces(shards, layout, reservedBytesPerNode(specNow(database)), machinesFor(database, view.machines));
}

/** The primary is to go: a copy that stays takes its place. One at a time: each needs the votes of the others. */
export function handOver(situation: Situation, problem: Problem): Action[] {
  const { database, view, problems } = situation;
  if (problems.find(({ code }) => code === problem.code) !== problem) return [{ blocked: 'one switchover at a time' }];
  const shard = shardOf(situation, problem);
  const { owner } = shard;
  const { keepers } = copiesOf(database, shard, view);
  const obstacle = ownerObstacle(shard) ?? (activeJob(view) && WHILE_SLOTS_MOVE) ?? laggard(keepers, owner);
  if (obstacle) return [{ blocked: `the primary of ${shard.name} does not leave yet: ${obstacle}` }];
  const primaries = shardNames(database).map((name) => shardTopology(database, view, name).owner?.assignment.machine);
  const crowd = ({ assignment: { machine } }: Member): number => primaries.filter((one) => one === machine).length;
  const [heir] = keepers.toSorted((a, b) => crowd(a) - crowd(b));
  return [switchOver(heir!, owner!, problem.code)];
}

/** A copy too many goes. */
export function retireCopy(situation: Situation, problem: Problem): Action[] {
  const { database, view } = situation;
  const obstacle = retireObstacle(database, view, problem.node!);
  if (obstacle) return [{ blocked: obstacle }];
  return [{ kind: 'retire_copy', target: problem.node!, args: {}, expects: {}, because: problem.code }];
}

/** Why a copy must not be taken out of the database now; null when nothing is lost by it. Asked again when it is done. */
export function retireObstacle(database: Database, view: DatabaseView, id: NodeId): string | null {
  const assignment = database.nodes.find((node) => node.id === id);
  if (!assignment) return `${id} is not part of the database any more`;
  const shard = shardTopology(database, view, assignment.shard);
  const { keepers, counting, going } = copiesOf(database, shard, view);
  const obstacle =
    ownerObstacle(shard) ??
    (shard.owner!.assignment.id === id ? 'it is the primary' : null) ??
    (going.every((member) => member.assignment.id !== id) ? 'it is to stay' : null) ??
    (counting.length < keepers.length ? 'too few copies are to be relied on' : null) ??
    laggard(keepers, shard.owner);
  return obstacle && `${id} stays in ${shard.name}: ${obstacle}`;
}

/** Who of those that stay is not there yet. */
function laggard(keepers: readonly Member[], owner: Member | null): string | null {
  const late = keepers.filter((member) => member !== owner && !isInSync(member, owner));
  return late.length === 0 ? null : `${counted(late.length, 'copy that stays is', 'copies that stay are')} not in sync`;
}

/** What is left of a node that was replaced, where its agent answers or nobody can any more. */
export function clearRetired({ database, view }: Situation, problem: Problem): Action[] {
  const { id, machine } = database.retired.find((node) => node.id === problem.node)!;
  const where = view.machines.find(({ name }) => name === machine);
  // Of a machine that nothing is known of nobody has said that it is gone.
  if (where?.state !== 'removed' && view.nodes.get(id)?.process.state === 'unknown') return [];
  return [{ kind: 'clear_retired', target: id, args: {}, expects: {}, because: problem.code }];
}
