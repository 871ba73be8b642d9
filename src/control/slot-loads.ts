/** What each slot costs now: two looks at the counters of every primary, some seconds apart. */
import type { Database } from '../domain/database.ts';
import { SLOT_COUNT } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Clock } from '../platform/clock.ts';
import type { Engines } from '../valkey/engines.ts';
import { type SlotStats, slotStats } from '../valkey/slot-stats.ts';
import { type OwningShard, owningShards } from './slot-weights.ts';

export interface SlotLoads {
  shards: readonly OwningShard[];
  /** Microseconds of processor time a second that its commands take, by slot. */
  cpu: Float64Array;
  /** Bytes a second of its commands and their answers, by slot. */
  bytes: Float64Array;
  /** By slot. */
  keys: Float64Array;
}

/** Takes so many seconds. @throws reshard_refused when a primary does not answer */
export async function measureSlots(
  engines: Engines,
  clock: Clock,
  database: Database,
  view: DatabaseView,
  seconds: number,
): Promise<SlotLoads> {
  const shards = owningShards(engines, database, view);
  const look = () => Promise.all(shards.map(({ node, slots }) => slotStats(node, slots)));
  const startedAt = clock.now();
  const before = await look();
  await clock.sleep(seconds * 1_000);
  const after = await look();
  const passed = Math.max(0.001, (clock.now() - startedAt) / 1_000);
  const loads = {
    cpu: new Float64Array(SLOT_COUNT),
    bytes: new Float64Array(SLOT_COUNT),
    keys: new Float64Array(SLOT_COUNT),
  };
  for (const [at, stats] of after.entries()) {
    for (const [slot, now] of stats) {
      const then = before[at]!.get(slot);
      loads.keys[slot] = now.keys;
      if (!then) continue;
      const grown = (of: keyof SlotStats): number => Math.max(0, now[of] - then[of]) / passed;
      loads.cpu[slot] = grown('cpuUsec');
      loads.bytes[slot] = grown('bytesIn') + grown('bytesOut');
    }
  }
  return { shards, ...loads };
}
