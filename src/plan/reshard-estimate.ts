/** What a change of owners takes, before it begins: what moves, how long, and what its clients and its memory see of it. */
import type { JobPace, Reshard, ReshardEstimate, SlotsByShard } from '../domain/reshard.ts';
import { SLOT_COUNT, slotsIn, sumOf } from '../domain/slots.ts';
import { keysOfJob } from './slot-moves.ts';

/** What a job costs beside its keys and bytes, as long as none was measured: see `measuredJobSeconds`. */
export const JOB_SECONDS = 0.2;
/** What was measured is believed within these bounds: a look that hung is no cost of a job. */
const JOB_BOUNDS = { least: 0.05, most: 2 };
const KEY_SECONDS = 12e-6;
const BYTES_PER_SECOND = 150e6;
/** Until the nodes of new shards are in sync, and their primaries take commands, which the engine lets them only 2 s after their start. */
const NEW_SHARDS_SECONDS = 2.2;
/** Until those without slots have left: between one and two seconds, as the engine tells ends to the second. */
const FAREWELL_SECONDS = 1.4;
/** Every client of the source waits for the hand-over, and then while the source drops the keys. */
const HANDOVER_MS = 100;
const MS_PER_KEY = 0.002;

export interface Weighed {
  owners: ReadonlyMap<string, SlotsByShard[string]>;
  /** By slot. */
  keys: Float64Array;
  bytes: Float64Array;
}

/**
 * @param goal the slots of those that are to own some
 * @param jobSeconds what a job costs here beside its keys and bytes
 */
export function estimateOf(
  goal: ReadonlyMap<string, SlotsByShard[string]>,
  { keys, bytes, owners }: Weighed,
  pace: JobPace,
  jobSeconds = JOB_SECONDS,
): ReshardEstimate {
  const ownerOf = new Array<string>(SLOT_COUNT);
  for (const [name, ranges] of owners) for (const slot of slotsIn(ranges)) ownerOf[slot] = name;
  const moved = { slots: 0, keys: 0, bytes: 0, largestSlotKeys: 0 };
  const routes = new Map<string, number>();
  const incoming = new Map<string, number>();
  for (const [name, ranges] of goal) {
    for (const slot of slotsIn(ranges)) {
      if (ownerOf[slot] === name) continue;
      moved.slots += 1;
      moved.keys += keys[slot]!;
      moved.bytes += bytes[slot]!;
      moved.largestSlotKeys = Math.max(moved.largestSlotKeys, keys[slot]!);
      const route = `${ownerOf[slot]} ${name}`;
      routes.set(route, (routes.get(route) ?? 0) + keys[slot]!);
      incoming.set(name, (incoming.get(name) ?? 0) + bytes[slot]!);
    }
  }
  const most = keysOfJob(pace, moved.keys === 0 ? 0 : moved.bytes / moved.keys);
  const jobs = [...routes.values()].reduce((sum, route) => sum + Math.max(1, Math.ceil(route / most)), 0);
  const isGrowing = [...goal.keys()].some((name) => !owners.has(name));
  const isShrinking = [...owners.keys()].some((name) => !goal.has(name));
  const seconds = jobs * jobSeconds + otherSeconds(moved, { isGrowing, isShrinking });
  const keysAtOnce = Math.max(moved.largestSlotKeys, Math.min(most, Math.max(0, ...routes.values())));
  return {
    ...{ pace, ...moved, bytes: Math.round(moved.bytes), jobs, seconds: Math.round(seconds * 10) / 10 },
    peakBytes: Math.round(peakBytes(incoming, { bytes, owners })),
    longestWaitMs: moved.slots === 0 ? 0 : Math.round(HANDOVER_MS + keysAtOnce * MS_PER_KEY),
  };
}

/** What it takes beside its jobs, however many they are. */
const otherSeconds = (
  { keys, bytes }: Pick<ReshardEstimate, 'keys' | 'bytes'>,
  { isGrowing, isShrinking }: { isGrowing: boolean; isShrinking: boolean },
): number =>
  (isGrowing ? NEW_SHARDS_SECONDS : 0) +
  (isShrinking ? FAREWELL_SECONDS : 0) +
  (keys * KEY_SECONDS + bytes / BYTES_PER_SECOND);

/** What each job has cost beside its keys and bytes, now that all are done; null where none says it. */
export function measuredJobSeconds({ before, goal, estimate }: Reshard, seconds: number): number | null {
  const { jobs } = estimate;
  if (jobs === 0) return null;
  const isGrowing = Object.keys(goal).some((name) => !(name in before.goal));
  const isShrinking = Object.values(goal).some((slots) => slots.length === 0);
  const each = (seconds - otherSeconds(estimate, { isGrowing, isShrinking })) / jobs;
  return Math.min(JOB_BOUNDS.most, Math.max(JOB_BOUNDS.least, each));
}

/** The most data that a shard may have at any time: one that gives and takes may take first. */
function peakBytes(
  incoming: ReadonlyMap<string, number>,
  { bytes, owners }: Pick<Weighed, 'bytes' | 'owners'>,
): number {
  const names = new Set([...owners.keys(), ...incoming.keys()]);
  const of = (name: string): number => sumOf(bytes, owners.get(name) ?? []) + (incoming.get(name) ?? 0);
  return Math.max(...[...names].map(of));
}
