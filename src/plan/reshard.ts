/**
 * Slots on their way to other shards: what is misplaced, which job comes next, when it is over. Nothing of it is stored
 * but the goal; owners and jobs are read from the nodes at every look, so whoever looks next goes on.
 */
import { type Database, shardNames, specNow } from '../domain/database.ts';
import { shortId } from '../domain/ids.ts';
import { isToLeave, phaseOf, type Reshard, type SlotMigration } from '../domain/reshard.ts';
import { formatSize } from '../domain/size.ts';
import { countSlots, formatSlots, rangesOf, SLOT_COUNT, type SlotRange } from '../domain/slots.ts';
import { memoryBytesPerNode, type Pace } from '../domain/spec.ts';
import { type DatabaseView, meanBytes } from '../domain/view.ts';
import { keptFor } from './kept.ts';
import { HARMLESS, type Problem, type ProblemCode } from './problems.ts';
import type { Action, Situation } from './remedy.ts';
import type { SlotMove, Step } from './step.ts';
import { type Member, type ShardTopology, shardTopology } from './topology.ts';

/** Why what forks or raises epochs waits. */
export const WHILE_SLOTS_MOVE = 'slots are on their way: it waits for the end of the job';

/** Slots of one shard that another is to own. */
export interface Move {
  from: string;
  to: string;
  slots: readonly SlotRange[];
}

/** How many keys a job may have: at its end the source drops them in one go, some 2 us each, and answers nobody meanwhile. */
const KEYS_OF_JOB: Record<Pace, number> = { fast: 50_000, gentle: 16_000 };
/** And bytes: what a job that fails has sent in vain, and what waits for its end, such as a switchover, stays short. */
const BYTES_OF_JOB: Record<Pace, number> = { fast: 256 * 1024 ** 2, gentle: 64 * 1024 ** 2 };
/** And of what is written to its slots meanwhile: a source sends some 12 MB a second where both processors are busy. */
const WRITTEN_BYTES_PER_SECOND = 4 * 1024 ** 2;
/** Of a target's memory that data may fill; a part of it is for what is written meanwhile. */
const FILLED = 0.95;

/** Keys that a job may have where a key takes so many bytes, at the mean. */
export const keysOfJob = (pace: Pace, bytesPerKey: number): number =>
  Math.max(1, Math.min(KEYS_OF_JOB[pace], Math.floor(BYTES_OF_JOB[pace] / Math.max(1, bytesPerKey))));
/** So many times in a row a job may fail, each time with half of the keys; then a person is asked. */
const MOST_FAILURES = 4;
/**
 * Jobs that the engine gets at once: the next one's snapshot begins as the one before hands over. None of them waits for a
 * pause. But a source that drops keys while its next child lives copies each page that it touches, and answers nobody
 * meanwhile: where waits are to be short, that child is begun afterwards.
 */
const JOBS_AT_ONCE: Record<Pace, number> = { fast: 3, gentle: 1 };
/** So many jobs may follow one another before it is weighed again who moves what to whom. */
const MOST_IN_A_ROW = 100;
/** A shard that gave its last slots away may still have to tell clients where they are; ends are told to the second. */
const FAREWELL_MS = 2_000;
/** After a failure, twice as long after each further one. */
const FIRST_PAUSE_MS = 1_000;

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
 * A job that is under way, by its source's word or else that of any node; null when there is none. Of several the one
 * that is furthest: it is what the others wait for, and what writers are paced for.
 */
export function activeJob({ nodes }: DatabaseView): SlotMigration | null {
  let found: SlotMigration | null = null;
  for (const { migrations = [] } of nodes.values()) {
    const active = migrations.filter(({ state }) => state === 'active');
    const [job] = active.sort((a, b) => phaseOf(b) - phaseOf(a));
    if (job?.side === 'export') return job;
    found ??= job ?? null;
  }
  return found;
}

/** A try that failed: of jobs that were begun together none came through. */
interface Failure {
  /** When the latest of them ended, and the engine's words. */
  at: number;
  message: string;
}

/** The failed tries of a source since the last that came through, the latest first. Those begun in one second are one. */
function failuresOf({ view: { migrations = [] } }: Member, { retriesFrom }: Reshard): Failure[] {
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

/** What may stand beside a reshard: everything else is mended first. */
const BESIDE: readonly ProblemCode[] = [...HARMLESS, 'slots_misplaced', 'news_spreading'];

/** What has to be mended before slots move on; null when nothing has to. */
const obstacleToSlots = (problems: readonly Problem[]): ProblemCode | null =>
  problems.find(({ code }) => !BESIDE.includes(code))?.code ?? null;

/** The next jobs, if nothing is in their way: of the sources that have room at a target the one with most to give. */
export function moveSlots(situation: Situation, problem: Problem): Action[] {
  const { view, problems } = situation;
  if (activeJob(view)) return [];
  const obstacle = obstacleToSlots(problems);
  if (obstacle) return [{ blocked: `no slots move while this holds: ${obstacle}` }];
  if (view.backup) return [{ blocked: `its slots stay where they are until the backup ${view.backup} is made` }];
  const steps = movesOf(situation, problem.code);
  const first = steps.find(isPossible) ?? steps[0];
  return first ? [first] : [];
}

/** What could follow the jobs that are under way, without a look after them; nothing where something is in the way. */
export function furtherMoves(database: Database, view: DatabaseView, problems: readonly Problem[]): MoveStep[] {
  const problem = problems.find(({ code }) => code === 'slots_misplaced');
  if (!problem || view.backup || obstacleToSlots(problems) !== null) return [];
  return movesOf({ database, view, problems }, problem.code).filter(isPossible);
}

export type MoveStep = Extract<Step, { kind: 'move_slots' }>;

const isPossible = <T extends object>(one: T | { blocked: string }): one is T => !('blocked' in one);

/** By source what it is to give, or why it has to wait. */
function movesOf(situation: Situation, because: ProblemCode): (MoveStep | { blocked: string })[] {
  const { database, view } = situation;
  const shards = shardNames(database).map((name) => shardTopology(database, view, name));
  const bySource = Map.groupBy(misplaced(database.reshard!, shards), ({ from }) => from);
  return [...bySource].map(([from, moves]): MoveStep | { blocked: string } => {
    const source = shards.find(({ name }) => name === from)!.owner!;
    const failures = failuresOf(source, database.reshard!);
    const wait = waitAfter(source, failures, view.at);
    if (wait !== null) return { blocked: wait };
    const parts = 2 ** failures.length;
    const bytesPerKey = source.engine ? meanBytes(source.engine) : 0;
    const keys = Math.ceil(keysOfJob(database.spec.pace, bytesPerKey) / parts);
    const jobBytes = Math.min(keys, source.engine?.keys ?? 0) * bytesPerKey;
    const weighed = moves.map((move) => weigh(database, shards, move, jobBytes));
    const able = weighed.filter(isPossible);
    if (able.length === 0) return weighed.find((one) => 'blocked' in one)!;
    return {
      kind: 'move_slots',
      target: source.assignment.id,
      args: {
        moves: able,
        most: { keys, bytesPerSecond: WRITTEN_BYTES_PER_SECOND / parts },
        atOnce: failures.length > 0 ? 1 : JOBS_AT_ONCE[database.spec.pace],
      },
      expects: { role: 'primary', ownsSlots: true },
      because,
    };
  });
}

/** Why a source is left in peace for a moment after a failure; null when it is not. */
function waitAfter({ assignment }: Member, failures: readonly Failure[], now: number): string | null {
  const [latest] = failures;
  if (!latest) return null;
  const waitMs = latest.at + FIRST_PAUSE_MS * 2 ** (failures.length - 1) - now;
  if (waitMs <= 0) return null;
  return `the next job waits for ${Math.ceil(waitMs / 1_000)} s: a job from ${shortId(assignment.id)} failed (${latest.message})`;
}

/** Whether the target of a move can take a job of so many bytes, and how many of them. */
function weigh(
  database: Database,
  shards: readonly ShardTopology[],
  move: Move,
  jobBytes: number,
): SlotMove | { blocked: string } {
  const target = shards.find(({ name }) => name === move.to)?.owner;
  if (target?.engine?.role !== 'primary') return { blocked: `the primary of ${move.to} does not answer` };
  // The engine refuses every command for two seconds after the start of a primary, and would own the slots meanwhile.
  if (!target.engine.clusterOk) return { blocked: `the primary of ${move.to} does not serve yet` };
  const usedBytes = target.engine.countedMemoryBytes;
  const leftBytes = roomOf(database) - usedBytes;
  if (jobBytes > leftBytes) return { blocked: noRoom(database, move, jobBytes, usedBytes) };
  const inARow = Math.min(MOST_IN_A_ROW, Math.floor(leftBytes / Math.max(1, jobBytes)));
  return { to: target.assignment.id, slots: move.slots, inARow };
}

/** What a primary may use while slots come to it: the engine would take what it has no memory for, and refuse its clients' writes then. */
function roomOf(database: Database): number {
  const spec = specNow(database);
  return spec.eviction === 'noeviction' ? memoryBytesPerNode(spec) * FILLED : Infinity;
}

function noRoom(database: Database, { to }: Move, bytes: number, usedBytes: number): string {
  const limitBytes = memoryBytesPerNode(specNow(database));
  const figures = `the primary of ${to} uses ${formatSize(usedBytes)} of ${formatSize(limitBytes)}`;
  return `${figures}, too much for another ${formatSize(bytes)}: give the database more with \`--memory\``;
}

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
