/** Steps that move slots, and that take out shards which own none any more. */
import type { Database } from '../../domain/database.ts';
import { rangesOf, type SlotRange, slotsIn, withoutSlots } from '../../domain/slots.ts';
import { withoutShard } from '../../plan/membership.ts';
import { retireShardObstacle } from '../../plan/reshard.ts';
import type { JobSize, Outcome, Step } from '../../plan/step.ts';
import type { NodeCommands } from '../../valkey/connection.ts';
import { copyFunctions, migrateHeldSlots, migrateSlots, readiness } from '../../valkey/slot-migrations.ts';
import { type SlotStats, slotStats } from '../../valkey/slot-stats.ts';
import type { Tools } from '../tools.ts';

type StepOf<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;

/** Of a job during which the source's writes wait: some 30 ms beside what every job takes. */
const HELD_KEYS = 5_000;

const DONE: Outcome = { result: 'done' };

/** Begins jobs; how they go, the next looks tell. The functions that the slots' clients call are there before. */
export async function moveSlots(
  { clock, jobsBegun, slotRates }: Tools,
  database: Database,
  { source, target }: { source: NodeCommands; target: NodeCommands },
  step: StepOf<'move_slots'>,
): Promise<Outcome> {
  const { args, target: sourceId } = step;
  const { forks, hasNumberedDatabases } = await readiness(source);
  // The engine makes one fork at a time: the job would stand in line, and its slots with it.
  if (forks) return { result: 'blocked', reason: `its source makes a ${forks}` };
  await copyFunctions(source, target);
  const stats = await slotStats(source, args.slots);
  const rates = slotRates.note(sourceId, stats, clock.now());
  const { keys, bytesPerSecond } = args.most;
  const most = { bytesPerSecond, keys: hasNumberedDatabases ? Math.min(keys, HELD_KEYS) : keys };
  const { jobs, left } = nextJobs(args.slots, stats, rates, most, hasNumberedDatabases ? 1 : args.atOnce);
  if (jobs.length === 0) return { result: 'blocked', reason: 'it owns none of these slots any more' };
  if (hasNumberedDatabases) await migrateHeldSlots(source, jobs[0]!, args.to);
  else await migrateSlots(source, jobs, args.to);
  jobsBegun({ step, database, source, jobs: jobs.length, left });
  return DONE;
}

/** So many jobs at most, and what the source has of these slots beside them. */
export function nextJobs(
  slots: readonly SlotRange[],
  stats: ReadonlyMap<number, SlotStats>,
  rates: ReadonlyMap<number, number>,
  most: JobSize,
  atOnce: number,
): { jobs: SlotRange[][]; left: SlotRange[] } {
  const jobs: SlotRange[][] = [];
  let left = rangesOf([...slotsIn(slots)].filter((slot) => stats.has(slot)));
  while (left.length > 0 && jobs.length < atOnce) {
    const job = firstSlots(left, stats, rates, most);
    jobs.push(job);
    left = withoutSlots(left, job);
  }
  return { jobs, left };
}

/** From the first on as many slots as make a job of this size; one at least. */
function firstSlots(
  slots: readonly SlotRange[],
  stats: ReadonlyMap<number, SlotStats>,
  rates: ReadonlyMap<number, number>,
  most: JobSize,
): SlotRange[] {
  const chosen: number[] = [];
  let keys = 0;
  let bytesPerSecond = 0;
  for (const slot of slotsIn(slots)) {
    keys += stats.get(slot)!.keys;
    bytesPerSecond += rates.get(slot) ?? 0;
    if (chosen.length > 0 && (keys > most.keys || bytesPerSecond > most.bytesPerSecond)) break;
    chosen.push(slot);
  }
  return rangesOf(chosen);
}

/** Out of the record, if another look agrees that it owns nothing, and the record still says that it is to leave. */
export async function retireShard(
  { databases, engines, observer, slotRates }: Pick<Tools, 'databases' | 'engines' | 'observer' | 'slotRates'>,
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
  slotRates.forget(gone.map(({ id }) => id));
  return DONE;
}
