/** Another spread of the slots as it is stored: the goal, what it was before, and what is to be expected. Pure. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { JobPace, Reshard, SlotsByShard } from '../domain/reshard.ts';
import { formatSize } from '../domain/size.ts';
import { sumOf } from '../domain/slots.ts';
import { type DatabaseSpec, memoryBytesPerNode } from '../domain/spec.ts';
import { counted } from '../domain/template.ts';
import { estimateOf } from '../plan/reshard-estimate.ts';
import { backlogBytes } from '../plan/settings.ts';
import { spread } from '../plan/slots/spread.ts';
import type { SlotWeights } from './slot-weights.ts';

/** What a process uses without any key, about. */
const EMPTY_BYTES = 3 * 1024 ** 2;
/** Of what a node has for data; the rest is for connections and for what is written meanwhile. */
const FILLED = 0.95;

export interface Wanted {
  /** Those that are to own slots. */
  names: readonly string[];
  /** By slot: what is to be the same in each of them. */
  loads: Float64Array;
  /** Milliseconds since the epoch. */
  now: number;
  /** At which they are to go. */
  pace: JobPace;
  /** What a job costs here beside its keys and bytes. */
  jobSeconds: number;
}

/** @throws data_does_not_fit */
export function wayTo(
  present: Database,
  spec: DatabaseSpec,
  weights: SlotWeights,
  { names, loads, now, pace, jobSeconds }: Wanted,
): Reshard {
  const goal = spread({ owners: weights.owners, weights: loads, shards: names });
  refuseIfFull(present.name, spec, goal, weights);
  const leaving = [...weights.owners.keys()].filter((shard) => !goal.has(shard));
  return {
    goal: { ...Object.fromEntries(leaving.map((shard) => [shard, []])), ...Object.fromEntries(goal) },
    before: { shards: present.spec.shards, goal: Object.fromEntries(weights.owners) },
    ...{ paused: false, cancels: false, startedAt: now, retriesFrom: now },
    estimate: estimateOf(goal, weights, pace, jobSeconds),
  };
}

/** Those that own slots afterwards: of the present ones the heaviest stay, and new ones get the next numbers. */
export function shardsAfter({ owners, bytes }: SlotWeights, count: number): string[] {
  const present = [...owners.keys()];
  const last = Math.max(0, ...present.map((name) => Number(name.slice(name.lastIndexOf('-') + 1)) || 0));
  const more = Array.from({ length: Math.max(0, count - present.length) }, (_, index) => `shard-${last + index + 1}`);
  const weights = new Map(present.map((name) => [name, sumOf(bytes, owners.get(name)!)]));
  const heaviest = present.toSorted((a, b) => weights.get(b)! - weights.get(a)!).slice(0, count);
  return [...present.filter((name) => heaviest.includes(name)), ...more];
}

function refuseIfFull(
  name: string,
  spec: DatabaseSpec,
  goal: ReadonlyMap<string, SlotsByShard[string]>,
  { bytes }: SlotWeights,
): void {
  const limitBytes = memoryBytesPerNode(spec);
  const roomBytes = (limitBytes - backlogBytes(limitBytes) - EMPTY_BYTES) * FILLED;
  const largest = Math.max(...[...goal.values()].map((slots) => sumOf(bytes, slots)));
  if (largest <= roomBytes || spec.eviction !== 'noeviction') return;
  throw new ValkeeperError('data_does_not_fit', {
    name,
    shards: counted(spec.shards, 'shard'),
    largest: formatSize(largest),
    limit: formatSize(limitBytes),
    room: formatSize(Math.max(0, roomBytes)),
  });
}
