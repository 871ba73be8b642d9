/** Steps that move slots, and that take out shards which own none any more. */
import type { Database } from '../../domain/database.ts';
import type { NodeId } from '../../domain/ids.ts';
import { rangesOf, type SlotRange, slotsIn, withoutSlots } from '../../domain/slots.ts';
import { type ForkRoom, noForkRoom } from '../../plan/forks.ts';
import { withoutShard } from '../../plan/membership.ts';
import { retireShardObstacle } from '../../plan/reshard.ts';
import type { JobSize, Outcome, SlotMove, Step } from '../../plan/step.ts';
import type { NodeCommands } from '../../valkey/connection.ts';
import {
  copyFunctions,
  type MigrationJob,
  migrateHeldSlots,
  migrateSlots,
  readiness,
} from '../../valkey/slot-migrations.ts';
import { type SlotStats, slotStats } from '../../valkey/slot-stats.ts';
import type { Agents } from '../agents.ts';
import type { Tools } from '../tools.ts';

type StepOf<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;

/** Of a job during which the source's writes wait: some 30 ms beside what every job takes. */
const HELD_KEYS = 5_000;

const ASK_AGENT_MS = 2_000;

const DONE: Outcome = { result: 'done' };

/** Begins jobs; how they go, the next looks tell. The functions that the slots' clients call are there before. */
export async function moveSlots(
  { agents, clock, jobsBegun, quietNodes, slotRates }: Tools,
  database: Database,
  connectionTo: (node: NodeId) => NodeCommands,
  step: StepOf<'move_slots'>,
): Promise<Outcome> {
  const source = connectionTo(step.target);
  const { forks, hasNumberedDatabases, clientCalls } = await readiness(source);
  // The engine makes one fork at a time: the job would stand in line, and its slots with it.
  if (forks) return { result: 'blocked', reason: `its source makes a ${forks}` };
  const full = noForkRoom(await forkRoom(agents, database, step.target));
  if (full !== null) return { result: 'blocked', reason: full };
  const isQuiet = quietNodes.note(step.target, clientCalls, clock.now());
  const { moves, most, atOnce } = hasNumberedDatabases
    ? heldJobs(step.args)
    : isQuiet
      ? quietJobs(step.args)
      : step.args;
  const slots = moves.flatMap((move) => move.slots);
  const stats = await slotStats(source, slots);
  const rates = slotRates.note(step.target, stats, clock.now());
  const { jobs, left } = nextJobs(moves, stats, rates, most, atOnce);
  if (jobs.length === 0) return { result: 'blocked', reason: 'it owns none of these slots any more' };
  for (const to of new Set(jobs.map((job) => job.to))) await copyFunctions(source, connectionTo(to));
  await (hasNumberedDatabases ? migrateHeldSlots(source, jobs[0]!) : migrateSlots(source, jobs));
  jobsBegun({ step, database, source, jobs: jobs.length, left });
  return DONE;
}

type Jobs = StepOf<'move_slots'>['args'];

/** One at a time, and small ones. */
const heldJobs = (jobs: Jobs): Jobs => ({
  ...jobs,
  most: { ...jobs.most, keys: Math.min(jobs.most.keys, HELD_KEYS) },
  atOnce: 1,
});

/** What holds where no client uses the source, if its targets have room for a job of that size. */
export function quietJobs(jobs: Jobs): Jobs {
  if (jobs.ifQuiet === null) return jobs;
  const share = jobs.most.keys / jobs.ifQuiet.most.keys;
  const roomy = jobs.moves
    .map((move) => ({ ...move, inARow: Math.floor(move.inARow * share) }))
    .filter(({ inARow }) => inARow > 0);
  return roomy.length === 0 ? jobs : { ...jobs, ...jobs.ifQuiet, moves: roomy };
}

/** By its agent's word; null where that has none. */
async function forkRoom(agents: Agents, { nodes }: Database, id: NodeId): Promise<ForkRoom | null> {
  const { machine } = nodes.find((node) => node.id === id)!;
  if (agents.report(machine, id) === 'unknown') return null;
  return agents.request(machine, 'fork_room', { id }, ASK_AGENT_MS);
}

/**
 * So many jobs at most, and what the source has left of these moves, where their targets have room for more. Those of one
 * move are about the same size: none lets clients wait longer than it takes.
 */
export function nextJobs(
  moves: readonly SlotMove[],
  stats: ReadonlyMap<number, SlotStats>,
  rates: ReadonlyMap<number, number>,
  most: JobSize,
  atOnce: number,
): { jobs: MigrationJob[]; left: SlotMove[] } {
  const jobs: MigrationJob[] = [];
  const left: SlotMove[] = [];
  for (const { to, ...move } of moves) {
    let slots = rangesOf([...slotsIn(move.slots)].filter((slot) => stats.has(slot)));
    let { inARow } = move;
    for (; slots.length > 0 && inARow > 0 && jobs.length < atOnce; inARow -= 1) {
      const job = firstSlots(slots, stats, rates, most);
      jobs.push({ to, slots: job });
      slots = withoutSlots(slots, job);
    }
    if (slots.length > 0 && inARow > 0) left.push({ to, slots, inARow });
  }
  return { jobs, left };
}

/** Of the keys of these slots, in as few jobs as can be with so many keys at most. */
function evenShare(slots: readonly SlotRange[], stats: ReadonlyMap<number, SlotStats>, most: number): number {
  let keys = 0;
  for (const slot of slotsIn(slots)) keys += stats.get(slot)!.keys;
  return Math.ceil(keys / Math.max(1, Math.ceil(keys / most)));
}

/** From the first on as many slots as make a job of this size at most, and have their even share; one at least. */
function firstSlots(
  slots: readonly SlotRange[],
  stats: ReadonlyMap<number, SlotStats>,
  rates: ReadonlyMap<number, number>,
  most: JobSize,
): SlotRange[] {
  const chosen: number[] = [];
  const enough = evenShare(slots, stats, most.keys);
  let keys = 0;
  let bytesPerSecond = 0;
  for (const slot of slotsIn(slots)) {
    const { keys: more } = stats.get(slot)!;
    if (keys >= enough && more > 0) break;
    keys += more;
    bytesPerSecond += rates.get(slot) ?? 0;
    if (chosen.length > 0 && (keys > most.keys || bytesPerSecond > most.bytesPerSecond)) break;
    chosen.push(slot);
  }
  return rangesOf(chosen);
}

/** Out of the record, if another look agrees that it owns nothing, and the record still says that it is to leave. */
export async function retireShard(
  {
    databases,
    engines,
    observer,
    quietNodes,
    slotRates,
  }: Pick<Tools, 'databases' | 'engines' | 'observer' | 'quietNodes' | 'slotRates'>,
  database: Database,
  { target }: StepOf<'retire_shard'>,
): Promise<Outcome> {
  const view = await observer.observe(database);
  const obstacleIn = (record: Database): string | null => retireShardObstacle(record, view, target);
  let obstacle = obstacleIn(database);
  if (obstacle === null) {
    // The reshard may have been given up since the look, and the shard gets its slots back then.
    await databases.change(database.name, (record) => {
      obstacle = obstacleIn(record);
      return obstacle === null ? withoutShard(record, target) : record;
    });
  }
  if (obstacle !== null) return { result: 'blocked', reason: obstacle };
  const gone = database.nodes.filter(({ shard }) => shard === target);
  engines.drop(gone);
  for (const known of [quietNodes, slotRates]) known.forget(gone.map(({ id }) => id));
  return DONE;
}
