/** What a seed says: the fleet, its databases, and the faults of every round. Pure: the same seed, the same for ever. */
import { Random } from '../sim/random.ts';
import { type FaultName, INSTANT } from './faults/names.ts';

export type Durability = 'async' | 'acknowledged';

export interface ChaosDatabase {
  name: string;
  shards: number;
  replicas: number;
  persistence: 'none' | 'snapshot' | 'aof';
  durability: Durability;
  /** Replicas that must have a write before it is acknowledged; 0 where none is waited for. */
  acknowledgements: number;
  replaceAfterSeconds: number;
}

export interface Scenario {
  seed: number;
  machines: readonly string[];
  databases: readonly ChaosDatabase[];
  /** The machine whose clock can be moved. */
  wobbly: string;
  /** Machines that have clients on them, beside those on a host of their own. */
  clients: readonly string[];
}

export interface PlannedFault {
  name: FaultName;
  atMs: number;
  forMs: number;
  /** From 0 to just below 1: which of those that it may hit. */
  pick: number;
}

export interface Round {
  number: number;
  /** One at a time, each after the traces of the one before have gone; or as they come. */
  style: 'alone' | 'overlapping';
  faults: readonly PlannedFault[];
  troubleMs: number;
}

/** Long ones are rare: while they last, the budget leaves out most others. */
const DURATIONS_MS = [1_000, 1_000, 1_000, 5_000, 5_000, 30_000];

/** The fleet of a seed. @param acknowledged whether databases can wait for replicas at all */
export function scenarioOf(seed: number, acknowledged: boolean): Scenario {
  const random = new Random(seed);
  const machines = Array.from({ length: random.pick([3, 3, 4, 5]) }, (_, index) => `m${index + 1}`);
  const database = (name: string, durability: Durability): ChaosDatabase => {
    const replicas = random.pick([1, 1, 2]);
    return {
      ...{ name, durability, replicas },
      shards: random.pick([1, 2, 3, 3]),
      persistence: random.pick(['aof', 'aof', 'aof', 'snapshot', 'none'] as const),
      acknowledgements: durability === 'async' ? 0 : random.chance(0.7) ? 1 : replicas,
      replaceAfterSeconds: random.pick([10, 20, 60]),
    };
  };
  const databases = [database('relaxed', 'async'), database('strict', acknowledged ? 'acknowledged' : 'async')];
  const [wobbly, ...others] = random.shuffled(machines);
  return { seed, machines, databases, wobbly: wobbly!, clients: others.slice(0, 2) };
}

/**
 * A round of a seed.
 * @param names faults to choose from
 * @param troubleMs faults begin within it, and have ended with it
 */
export function roundOf(seed: number, number: number, names: readonly FaultName[], troubleMs: number): Round {
  const random = new Random((Math.imul(seed, 1_000_003) + number) >>> 0);
  const style = random.chance(0.4) ? 'alone' : 'overlapping';
  const faults: PlannedFault[] = [];
  const gapMs = style === 'alone' ? 8_000 : 2_500;
  for (let atMs = random.between(500, 3_000); atMs < troubleMs - 2_000; ) {
    const name = random.pick(names);
    const lastsMs = Math.min(random.pick(DURATIONS_MS), troubleMs - atMs);
    const forMs = INSTANT.has(name) ? 0 : lastsMs;
    faults.push({ name, atMs: Math.round(atMs), forMs: Math.round(forMs), pick: random.next() });
    atMs += style === 'alone' ? forMs + random.between(gapMs / 2, gapMs) : random.between(0, 2 * gapMs);
  }
  return { number, style, faults, troubleMs };
}

/** A round in lines, as it is printed and kept. */
export const describeRound = ({ number, style, faults }: Round): string[] => [
  `round ${number}: ${faults.length} faults, ${style}`,
  ...faults.map(({ name, atMs, forMs, pick }) => {
    const lasts = forMs === 0 ? '' : ` for ${(forMs / 1_000).toFixed(1)} s`;
    return `  ${(atMs / 1_000).toFixed(1)} s  ${name}${lasts} (pick ${pick.toFixed(3)})`;
  }),
];
