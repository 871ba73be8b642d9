/**
 * Which slots move next: from which shard, how many keys in a job, and whether their targets have room. Decided
 * anew at each look, from what is misplaced and which jobs are under way then.
 */
import { type Database, shardNames, specNow } from '../domain/database.ts';
import { shortId } from '../domain/ids.ts';
import type { JobPace } from '../domain/reshard.ts';
import { formatSize } from '../domain/size.ts';
import { memoryBytesPerNode } from '../domain/spec.ts';
import { type DatabaseView, meanBytes } from '../domain/view.ts';
import { HARMLESS, type Problem, type ProblemCode } from './problems.ts';
import type { Action, Situation } from './remedy.ts';
import { activeJob, activeJobs, type Failure, failuresOf, type Move, misplaced } from './reshard.ts';
import type { JobLimits, SlotMove, Step } from './step.ts';
import { type Member, shardTopology } from './topology.ts';

export type MoveStep = Extract<Step, { kind: 'move_slots' }>;

/**
 * How many keys a job may have: at its end the source drops them in one go, some 2 us each, and answers nobody meanwhile.
 * Also where nobody uses it now somebody may come.
 */
const KEYS_OF_JOB: Record<JobPace, number> = { fast: 50_000, gentle: 16_000, quiet: 100_000 };
/** And bytes: what a job that fails has sent in vain, and what waits for its end, such as a switchover, stays short. */
const BYTES_OF_JOB: Record<JobPace, number> = { fast: 256 * 1024 ** 2, gentle: 64 * 1024 ** 2, quiet: 256 * 1024 ** 2 };
/** And of what is written to its slots meanwhile: a source sends some 12 MB a second where both processors are busy. */
const WRITTEN_BYTES_PER_SECOND = 4 * 1024 ** 2;
/** Of a target's memory that data may fill; a part of it is for what is written meanwhile. */
const FILLED = 0.95;
/**
 * Jobs that the engine gets at once: the next one's snapshot begins as the one before hands over. None of them waits for a
 * pause. But a source that drops keys while its next child lives copies each page that it touches, and answers nobody
 * meanwhile: where waits are to be short, that child is begun afterwards.
 */
const JOBS_AT_ONCE: Record<JobPace, number> = { fast: 3, gentle: 1, quiet: 3 };
/** So many jobs may follow one another before it is weighed again who moves what to whom. */
const MOST_IN_A_ROW = 100;
/** After a failure, twice as long after each further one. */
const FIRST_PAUSE_MS = 1_000;

/** Keys that a job may have where a key takes so many bytes, at the mean. */
export const keysOfJob = (pace: JobPace, bytesPerKey: number): number =>
  Math.max(1, Math.min(KEYS_OF_JOB[pace], Math.floor(BYTES_OF_JOB[pace] / Math.max(1, bytesPerKey))));

/** What may stand beside a reshard: everything else is mended first. */
const BESIDE: readonly ProblemCode[] = [...HARMLESS, 'slots_misplaced', 'news_spreading'];

/** What has to be mended before slots move on; null when nothing has to. */
function obstacleToSlots({ problems, view }: Situation): string | null {
  const other = problems.find(({ code }) => !BESIDE.includes(code));
  if (other) return `no slots move while this holds: ${other.code}`;
  return view.backup ? `its slots stay where they are until the backup ${view.backup} is made` : null;
}

/** The next jobs, if nothing is in their way: of the sources that have room at a target the one with most to give. */
export function moveSlots(situation: Situation, problem: Problem): Action[] {
  if (activeJob(situation.view)) return [];
  const obstacle = obstacleToSlots(situation);
  if (obstacle !== null) return [{ blocked: obstacle }];
  const steps = movesOf(situation, problem.code);
  const first = steps.find(isPossible) ?? steps[0];
  return first ? [first] : [];
}

/** What could follow the jobs that are under way, without a look after them; nothing where something is in the way. */
export function furtherMoves(database: Database, view: DatabaseView, problems: readonly Problem[]): MoveStep[] {
  const problem = problems.find(({ code }) => code === 'slots_misplaced');
  const situation = { database, view, problems };
  if (!problem || obstacleToSlots(situation) !== null) return [];
  return movesOf(situation, problem.code).filter(isPossible);
}

const isPossible = <T extends object>(one: T | { blocked: string }): one is T => !('blocked' in one);

/** By source what it is to give, or why it has to wait. That with most to give comes first. */
function movesOf({ database, view }: Situation, because: ProblemCode): (MoveStep | { blocked: string })[] {
  const jobs = activeJobs(view);
  const shards = shardNames(database).map((name) => shardTopology(database, view, name));
  const ownerOf = (shard: string): Member | null => shards.find(({ name }) => name === shard)?.owner ?? null;
  const bySource = Map.groupBy(misplaced(database.reshard!, shards), ({ from }) => from);
  return [...bySource].map(([from, moves]): MoveStep | { blocked: string } => {
    const source = ownerOf(from)!;
    const failures = failuresOf(source, database.reshard!);
    const wait = waitAfter(source, failures, view.at);
    if (wait !== null) return { blocked: wait };
    const { pace } = database.spec;
    const parts = 2 ** failures.length;
    const bytesPerKey = source.engine ? meanBytes(source.engine) : 0;
    const keys = Math.ceil(keysOfJob(pace, bytesPerKey) / parts);
    const jobBytes = Math.min(keys, source.engine?.keys ?? 0) * bytesPerKey;
    // How large those are that are under way nobody tells: as large as any.
    const largestBytes = Math.min(keysOfJob('quiet', bytesPerKey), source.engine?.keys ?? 0) * bytesPerKey;
    const weighed = moves.map((move) => {
      const coming = jobs.filter(({ target }) => target === ownerOf(move.to)?.assignment.id).length;
      return weigh(database, ownerOf(move.to), move, { jobBytes, comingBytes: coming * largestBytes });
    });
    const able = weighed.filter(isPossible);
    if (able.length === 0) return weighed.find((one) => 'blocked' in one)!;
    return {
      kind: 'move_slots',
      target: source.assignment.id,
      args: {
        moves: able,
        most: { keys, bytesPerSecond: WRITTEN_BYTES_PER_SECOND / parts },
        atOnce: failures.length > 0 ? 1 : JOBS_AT_ONCE[pace],
        ifQuiet: failures.length > 0 ? null : quietLimits(bytesPerKey),
      },
      expects: { role: 'primary', ownsSlots: true },
      because,
    };
  });
}

const quietLimits = (bytesPerKey: number): JobLimits => ({
  most: { keys: keysOfJob('quiet', bytesPerKey), bytesPerSecond: WRITTEN_BYTES_PER_SECOND },
  atOnce: JOBS_AT_ONCE.quiet,
});

/** Why a source is left in peace for a moment after a failure; null when it is not. */
function waitAfter({ assignment }: Member, failures: readonly Failure[], now: number): string | null {
  const [latest] = failures;
  if (!latest) return null;
  const waitMs = latest.at + FIRST_PAUSE_MS * 2 ** (failures.length - 1) - now;
  if (waitMs <= 0) return null;
  return `the next job waits for ${Math.ceil(waitMs / 1_000)} s: a job from ${shortId(assignment.id)} failed (${latest.message})`;
}

/** Whether the target of a move can take a job of so many bytes beside what is coming to it, and how many of them. */
function weigh(
  database: Database,
  target: Member | null,
  move: Move,
  { jobBytes, comingBytes }: { jobBytes: number; comingBytes: number },
): SlotMove | { blocked: string } {
  if (target?.engine?.role !== 'primary') return { blocked: `the primary of ${move.to} does not answer` };
  // The engine refuses every command for two seconds after the start of a primary, and would own the slots meanwhile.
  if (!target.engine.clusterOk) return { blocked: `the primary of ${move.to} does not serve yet` };
  const usedBytes = target.engine.countedMemoryBytes;
  const leftBytes = roomOf(database) - usedBytes - comingBytes;
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
