/** What each slot costs now: two looks at the counters of every primary, some seconds apart. */
import type { Database } from '../domain/database.ts';
import { SLOT_COUNT } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Clock } from '../platform/clock.ts';
import type { NodeCommands } from '../valkey/connection.ts';
import type { Engines } from '../valkey/engines.ts';
import { parseInfo, textField } from '../valkey/info.ts';
import { type SlotStats, slotStats } from '../valkey/slot-stats.ts';
import { askAll, type OwningShard, owningShards } from './slot-weights.ts';

export interface SlotLoads {
  shards: readonly OwningShard[];
  /** Microseconds of processor time a second, by slot: all that its primary used, see `shareOut`. */
  cpu: Float64Array;
  /** Bytes a second of its commands and their answers, by slot. */
  bytes: Float64Array;
  /** By slot. */
  keys: Float64Array;
  /** Microseconds of processor time a second that all commands took, without reading and answering them. */
  commandsUsec: number;
}

interface Look {
  /** When it had answered. */
  at: number;
  stats: Map<number, SlotStats>;
  /** Microseconds of processor time that the process has used. */
  processUsec: number;
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
  const lookAll = () => askAll(database, shards, async (shard) => lookAt(shard, clock));
  const before = await lookAll();
  await clock.sleep(seconds * 1_000);
  const after = await lookAll();
  const loads = { cpu: bySlot(), bytes: bySlot(), keys: bySlot(), commandsUsec: 0 };
  for (const [index, now] of after.entries()) {
    const then = before[index]!;
    const passed = Math.max(0.001, (now.at - then.at) / 1_000);
    const costs = costsBetween(then, now, passed);
    for (const [slot, { cpuUsec, bytes }] of shareOut(costs, (now.processUsec - then.processUsec) / passed)) {
      loads.cpu[slot] = cpuUsec;
      loads.bytes[slot] = bytes;
    }
    for (const [slot, { keys }] of now.stats) loads.keys[slot] = keys;
    for (const { cpuUsec } of costs.values()) loads.commandsUsec += cpuUsec;
  }
  return { shards, ...loads };
}

const bySlot = (): Float64Array => new Float64Array(SLOT_COUNT);

async function lookAt(
  { node, slots }: { node: NodeCommands } & Pick<OwningShard, 'slots'>,
  clock: Clock,
): Promise<Look> {
  const [stats, info] = await Promise.all([slotStats(node, slots), node.command('INFO', 'cpu')]);
  const fields = parseInfo(String(info));
  const seconds = (name: string): number => Number(textField(fields, name));
  return { at: clock.now(), stats, processUsec: (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6 };
}

/** A second of one slot. */
interface Cost {
  cpuUsec: number;
  bytes: number;
}

function costsBetween(before: Look, after: Look, seconds: number): Map<number, Cost> {
  const costs = new Map<number, Cost>();
  for (const [slot, now] of after.stats) {
    const then = before.stats.get(slot);
    if (!then) continue;
    const grown = (of: keyof SlotStats): number => Math.max(0, now[of] - then[of]) / seconds;
    costs.set(slot, { cpuUsec: grown('cpuUsec'), bytes: grown('bytesIn') + grown('bytesOut') });
  }
  return costs;
}

/**
 * The engine counts what carrying out a slot's commands takes. Most of what small ones cost is reading and answering
 * them, which it counts for the process only: that is shared out by their bytes.
 * @param processUsec microseconds a second of the whole process
 */
export function shareOut(costs: ReadonlyMap<number, Cost>, processUsec: number): Map<number, Cost> {
  let commandsUsec = 0;
  let bytes = 0;
  for (const cost of costs.values()) {
    commandsUsec += cost.cpuUsec;
    bytes += cost.bytes;
  }
  const usecPerByte = bytes === 0 ? 0 : Math.max(0, processUsec - commandsUsec) / bytes;
  return new Map(
    [...costs].map(([slot, cost]) => [slot, { ...cost, cpuUsec: cost.cpuUsec + cost.bytes * usecPerByte }]),
  );
}
