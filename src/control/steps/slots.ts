/** Steps that move slots, and that take out shards which own none any more. */
import type { Database } from '../../domain/database.ts';
import { rangesOf, type SlotRange, slotsIn } from '../../domain/slots.ts';
import { withoutShard } from '../../plan/membership.ts';
import { retireShardObstacle } from '../../plan/reshard.ts';
import type { Outcome, Step } from '../../plan/step.ts';
import type { NodeCommands } from '../../valkey/connection.ts';
import {
  copyFunctions,
  hasNumberedDatabases,
  keysBySlot,
  migrateHeldSlots,
  migrateSlots,
} from '../../valkey/slot-migrations.ts';
import type { Tools } from '../tools.ts';

type StepOf<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;

/** Of a job during which the source's writes wait: some 30 ms beside what every job takes. */
const HELD_KEYS = 5_000;

const DONE: Outcome = { result: 'done' };

/** Begins one job; how it goes, the next looks tell. The functions that the slots' clients call are there before. */
export async function moveSlots(
  source: NodeCommands,
  target: NodeCommands,
  { args }: StepOf<'move_slots'>,
): Promise<Outcome> {
  await copyFunctions(source, target);
  const keys = await keysBySlot(source, args.slots);
  const isHeld = await hasNumberedDatabases(source);
  const job = firstSlots(args.slots, keys, isHeld ? Math.min(args.mostKeys, HELD_KEYS) : args.mostKeys);
  if (job.length === 0) return { result: 'blocked', reason: 'it owns none of these slots any more' };
  await (isHeld ? migrateHeldSlots : migrateSlots)(source, job, args.to);
  return DONE;
}

/** From the first on as many slots as have together no more keys than this; one at least. Those of others are left out. */
function firstSlots(slots: readonly SlotRange[], keys: ReadonlyMap<number, number>, mostKeys: number): SlotRange[] {
  const chosen: number[] = [];
  let sum = 0;
  for (const slot of slotsIn(slots)) {
    const count = keys.get(slot);
    if (count === undefined) continue;
    sum += count;
    if (chosen.length > 0 && sum > mostKeys) break;
    chosen.push(slot);
  }
  return rangesOf(chosen);
}

/** Out of the record, if another look agrees that it owns nothing, and the record still says that it is to leave. */
export async function retireShard(
  { databases, engines, observer }: Pick<Tools, 'databases' | 'engines' | 'observer'>,
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
  engines.drop(database.nodes.filter(({ shard }) => shard === target));
  return DONE;
}
