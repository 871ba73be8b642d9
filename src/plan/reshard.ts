/**
 * Slots on their way to other shards: what is misplaced, which jobs are under way, when it is over. Nothing of it is stored
 * but the goal; owners and jobs are read from the nodes at every look, so whoever looks next goes on. What moves next is
 * decided in slot-moves.ts.
 */
import { type Database, shardNames } from '../domain/database.ts';
import { isToLeave, phaseOf, type Reshard, type SlotMigration } from '../domain/reshard.ts';
import { countSlots, formatSlots, rangesOf, SLOT_COUNT, type SlotRange } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import { keptFor } from './kept.ts';
import type { Problem } from './problems.ts';
import type { Action, Situation } from './remedy.ts';
import { type Member, type ShardTopology, shardTopology } from './topology.ts';

/** Why what forks or raises epochs waits. */
export const WHILE_SLOTS_MOVE = 'slots are on their way: it waits for the end of the job';

/** Slots of one shard that another is to own. */
export interface Move {
  from: string;
  to: string;
  slots: readonly SlotRange[];
}

/** So many times in a row a job may fail, each time with half of the keys; then a person is asked. */
const MOST_FAILURES = 4;
/** A shard that gave its last slots away may still have to tell clients where they are; ends are told to the second. */
const FAREWELL_MS = 2_000;

/** By slot, the place of the shard in the order of the goal's names. */
const goalBySlot = keptFor(({ goal }: Reshard): { names: string[]; shardOf: Int16Array } => {
  const names = Object.keys(goal);
  const shardOf = new Int16Array(SLOT_COUNT).fill(-1);
  for (const [index, name] of names.entries()) {
    for (const [from, to] of goal[name]!) shardOf.fill(index, from, to + 1);
  }
  return { names, shardOf };
});

/** What is not where it is to be, of shards whose owner is known. The largest first. */
export function misplaced(reshard: Reshard, shards: readonly ShardTopology[]): Move[] {
  const { names, shardOf } = goalBySlot(reshard);
  return shards
    .flatMap(({ name, slots }) => {
      const own = names.indexOf(name);
      const byTarget = new Map<number, number[]>();
      for (const [from, to] of slots) {
        for (let slot = from; slot <= to; slot += 1) {
          const target = shardOf[slot]!;
          if (target < 0 || target === own) continue;
          const known = byTarget.get(target);
          if (known) known.push(slot);
          else byTarget.set(target, [slot]);
        }
      }
      return [...byTarget].map(([target, moving]) => ({ from: name, to: names[target]!, slots: rangesOf(moving) }));
    })
    .sort((a, b) => countSlots(b.slots) - countSlots(a.slots));
}

/**
 * The jobs that are under way, each by its source's word or else that of any node. The furthest first: it is what the
 * others of its source wait for.
 */
export function activeJobs({ nodes }: DatabaseView): SlotMigration[] {
  const found = new Map<string, SlotMigration>();
  for (const { migrations = [] } of nodes.values()) {
    for (const job of migrations) {
      if (job.state === 'active' && (job.side === 'export' || !found.has(job.name))) found.set(job.name, job);
    }
  }
  const rank = (job: SlotMigration): number => (job.side === 'export' ? phaseOf(job) : -1);
  return [...found.values()].sort((a, b) => rank(b) - rank(a));
}

/** The one of them that is furthest; null when there is none. */
export const activeJob = (view: DatabaseView): SlotMigration | null => activeJobs(view)[0] ?? null;

/** A try that failed: of jobs that were begun together none came through. */
export interface Failure {
  /** When the latest of them ended, and the engine's words. */
  at: number;
  message: string;
}

/** The failed tries of a source since the last that came through, the latest first. Those begun in one second are one. */
export function failuresOf({ view: { migrations = [] } }: Member, { retriesFrom }: Reshard): Failure[] {
  const given = migrations.filter(({ side, state }) => side === 'export' && state !== 'active');
  const tries = [...Map.groupBy(given, ({ createdAt }) => createdAt).values()];
  const isOld = (jobs: readonly SlotMigration[]): boolean =>
    jobs.some(({ state, updatedAt }) => state === 'success' || updatedAt < retriesFrom);
  const end = tries.findIndex(isOld);
  const failed = end < 0 ? tries : tries.slice(0, end);
  return failed.map((jobs) => ({ at: Math.max(...jobs.map(({ updatedAt }) => updatedAt)), message: jobs[0]!.message }));
}

/** What is to be said of a reshard: nothing when there is none. */
export function reshardProblems(database: Database, shards: readonly ShardTopology[]): Problem[] {
  const { name, reshard } = database;
  if (reshard === null) return [];
  const moves = misplaced(reshard, shards);
  const [next] = moves;
  if (!next) return leavingShards(reshard, shards);
  const count = moves.reduce((sum, { slots }) => sum + countSlots(slots), 0);
  const params = { name, count, from: next.from, to: next.to };
  if (reshard.paused) return [{ code: 'reshard_paused', params }];
  const stuck = moves.flatMap((move) => stuckProblem(database, reshard, shards, move));
  return [...stuck.slice(0, 1), { code: 'slots_misplaced', params }];
}

function stuckProblem(
  { name }: Database,
  reshard: Reshard,
  shards: readonly ShardTopology[],
  { from, to, slots }: Move,
): Problem[] {
  const owner = shards.find((shard) => shard.name === from)?.owner;
  const failures = owner ? failuresOf(owner, reshard) : [];
  if (failures.length < MOST_FAILURES) return [];
  const { message } = failures[0]!;
  const figures = { name, shard: from, other: to, slots: formatSlots(slots), failures: failures.length };
  return [{ code: 'reshard_stuck', shard: from, params: { ...figures, message, remedy: remedyFor(message) } }];
}

/** By what the engine says of the failure. */
function remedyFor(message: string): string {
  if (/output buffer|client-output/i.test(message))
    return 'More was written to these slots than the source could send: write less for a while.';
  if (/memory|OOM/i.test(message)) return 'The target has no memory for them: give the database more with `--memory`.';
  return 'Look at the logs of both primaries.';
}

/** All slots are where they are to be: shards without any are done with. */
const leavingShards = ({ goal }: Reshard, shards: readonly ShardTopology[]): Problem[] =>
  shards
    .filter(({ name, isEmpty }) => isEmpty && isToLeave(goal, name))
    .map(({ name }) => ({ code: 'shard_leaving', shard: name, params: { shard: name } }));

/**
 * Every slot is where it is to be by its owner's own word, none is on its way, and no shard is left that owns none. A job
 * that still runs when a reshard is given up takes its slots away from where they are to be again.
 */
export function isReshardOver(database: Database, view: DatabaseView): boolean {
  const { reshard } = database;
  if (reshard === null || activeJob(view)) return false;
  const names = shardNames(database);
  if (names.some((name) => isToLeave(reshard.goal, name))) return false;
  const shards = names.map((name) => shardTopology(database, view, name));
  if (shards.some(({ owner }) => owner?.engine?.role !== 'primary')) return false;
  const served = countSlots(shards.flatMap(({ slots }) => slots));
  return served === SLOT_COUNT && misplaced(reshard, shards).length === 0;
}

/** The record when the reshard that was looked at is over; as it is when something else was asked for meanwhile. */
export const withoutReshard = (record: Database, looked: Database): Database =>
  record.generation === looked.generation ? { ...record, reshard: null } : record;

/** A shard that owns nothing goes, with all its nodes. */
export function retireShard({ database, view }: Situation, problem: Problem): Action[] {
  const shard = problem.shard!;
  const obstacle = retireShardObstacle(database, view, shard);
  if (obstacle) return [{ blocked: obstacle }];
  const endedAt = Math.max(0, ...[...view.nodes.values()].map(({ migrations }) => migrations?.[0]?.updatedAt ?? 0));
  if (view.at - endedAt < FAREWELL_MS) return [{ blocked: `${shard} stays until all who asked it are answered` }];
  return [{ kind: 'retire_shard', target: shard, args: {}, expects: {}, because: problem.code }];
}

/** Why a shard must not be taken out now; null when nothing is lost by it. Asked again when it is done. */
export function retireShardObstacle(database: Database, view: DatabaseView, name: string): string | null {
  const { reshard } = database;
  if (reshard === null || !isToLeave(reshard.goal, name)) return `${name} is to stay`;
  if (activeJob(view)) return `${name} stays while slots move`;
  const shard = shardTopology(database, view, name);
  if (!shard.isEmpty) return `it is not certain that ${name} owns nothing`;
  return null;
}
