/** What a node's disk and memory do not take any more, in the engine's own words; and who takes over from a failing disk. */
import type { Database, NodeAssignment } from '../domain/database.ts';
import { shortId } from '../domain/ids.ts';
import { formatSize } from '../domain/size.ts';
import { counted } from '../domain/template.ts';
import type { AnsweringEngine, DatabaseView, FailingWrite, PostponedFork } from '../domain/view.ts';
import type { Problem, ProblemCode } from './problems.ts';
import { type Situation, shardOf, targetOf } from './remedy.ts';
import type { Step } from './step.ts';
import { isInSync, memberOf } from './topology.ts';

/** So many waits of more than two seconds within a minute are told. */
const TOLD_DELAYS = 3;

const WORDS: Record<FailingWrite, string> = {
  log: 'its append-only log',
  rewrite: 'a shorter append-only log',
  snapshot: 'its snapshot',
};

/** Of nodes that answer, and what their agents say of them. */
export function capacityProblems(database: Database, view: DatabaseView): Problem[] {
  return database.nodes.flatMap((node): Problem[] => {
    const { engine, view: seen } = memberOf(node, view);
    const postponed = seen.postponed ? [postponedProblem(node, seen.postponed)] : [];
    if (!engine) return postponed;
    const { failingWrites, delayedFsyncs } = engine;
    const what = failingWrites.map((one) => WORDS[one]).join(' and ');
    const effect = engine.refusesWrites && engine.role === 'primary' ? ' and refuses every write (MISCONF)' : '';
    return [
      ...postponed,
      ...(failingWrites.length > 0 ? [about('disk_failing', node, { what, effect })] : []),
      ...(delayedFsyncs >= TOLD_DELAYS ? [about('disk_slow', node, { delays: counted(delayedFsyncs, 'time') })] : []),
      ...memoryProblem(node, engine),
    ];
  });
}

const FORK_WORDS = {
  snapshot: { what: 'to save a snapshot', effect: 'what was written since the last one is in memory only' },
  rewrite: { what: 'to write its log anew', effect: 'its log grows' },
} as const;

/** Its agent says when, see forks.ts. */
function postponedProblem(node: NodeAssignment, { kind, reason, neededBytes, availableBytes }: PostponedFork): Problem {
  const [needed, free] = [formatSize(neededBytes), formatSize(availableBytes)];
  const why =
    reason === 'memory'
      ? `it may take ${needed} of memory, and ${free} are free`
      : 'for ten minutes there was always another node there that saved, copied or wrote its log anew';
  const look = reason === 'memory' ? 'what else takes memory' : 'whether a child of a node hangs';
  return about('fork_postponed', node, { ...FORK_WORDS[kind], why, look });
}

/** A replica's limit is its primary's business. */
function memoryProblem(
  node: NodeAssignment,
  { role, slots, settings, countedMemoryBytes }: AnsweringEngine,
): Problem[] {
  const limitBytes = Number(settings['maxmemory'] ?? 0);
  const evicts = settings['maxmemory-policy'] !== 'noeviction';
  if (role !== 'primary' || slots.length === 0 || evicts || limitBytes === 0) return [];
  if (countedMemoryBytes <= limitBytes) return [];
  return [about('memory_full', node, { used: formatSize(countedMemoryBytes), limit: formatSize(limitBytes) })];
}

const about = (code: ProblemCode, { id, shard, machine }: NodeAssignment, params: Problem['params']): Problem => ({
  ...{ code, node: id, shard, machine },
  params: { node: shortId(id), shard, machine, ...params },
});

/**
 * A primary that refuses writes changes places with a copy that can take them: in sync, on another machine, its own disk
 * well. Asked for as any switchover is, it counts for ten minutes, and so long no other is asked for: no going to and fro.
 */
export function leaveFailingDisk(situation: Situation, problem: Problem): Step[] {
  const { owner, members, name } = shardOf(situation, problem);
  const { assignment, engine } = targetOf(situation, problem);
  if (!owner || owner.assignment.id !== assignment.id || !engine?.refusesWrites) return [];
  if (situation.database.wantedPrimaries[name]) return [];
  const heir = members.find(
    (member) =>
      isInSync(member, owner) &&
      member.assignment.machine !== assignment.machine &&
      member.engine!.failingWrites.length === 0,
  );
  if (!heir) return [];
  const insteadOf = assignment.id;
  const expects = { role: 'replica', primaryId: insteadOf } as const;
  return [{ kind: 'want_primary', target: heir.assignment.id, args: { insteadOf }, expects, because: problem.code }];
}
