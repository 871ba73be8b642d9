/** Steps that move slots, and that take out shards which own none any more. */
import type { Database } from '../../domain/database.ts';
import { rangesOf, type SlotRange, slotsIn } from '../../domain/slots.ts';
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

/** Begins one job; how it goes, the next looks tell. The functions that the slots' clients call are there before. */
export async function moveSlots(
  { clock, jobBegun, slotRates }: Tools,
  source: NodeCommands,
  target: NodeCommands,
  { args, target: sourceId }: StepOf<'move_slots'>,
): Promise<Outcome> {
  const { forks, hasNumberedDatabases } = await readiness(source);
  // The engine makes one fork at a time: the job would stand in line, and its slots with it.
  if (forks) return { result: 'blocked', reason: `its source makes a ${forks}` };
  await copyFunctions(source, target);
  const stats = await slotStats(source, args.slots);
  const rates = slotRates.note(sourceId, stats, clock.now());
  const { keys, bytesPerSecond } = args.most;
  const most = { bytesPerSecond, keys: hasNumberedDatabases ? Math.min(keys, HELD_KEYS) : keys };
  const job = firstSlots(args.slots, stats, rates, most);
  if (job.length === 0) return { result: 'blocked', reason: 'it owns none of these slots any more' };
  await (hasNumberedDatabases ? migrateHeldSlots : migrateSlots)(source, job, args.to);
  jobBegun(source);
  return DONE;
}

/** From the first on as many slots as make a job of this size; one at least. Those of others are left out. */
export function firstSlots(
  slots: readonly SlotRange[],
  stats: ReadonlyMap<number, SlotStats>,
  rates: ReadonlyMap<number, number>,
  most: JobSize,
): SlotRange[] {
  const chosen: number[] = [];
  let keys = 0;
  let bytesPerSecond = 0;
  for (const slot of slotsIn(slots)) {
    const one = stats.get(slot);
    if (one === undefined) continue;
    keys += one.keys;
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
