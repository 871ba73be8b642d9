/** What a seed stands for: a fleet, a wish, and what goes wrong when. */
import type { DatabaseSpec } from '../../src/domain/spec.ts';
import { PERSISTENCE_MODES } from '../../src/domain/spec.ts';
import { Random } from './random.ts';

export interface Scenario {
  machines: number;
  wish: Pick<DatabaseSpec, 'shards' | 'replicas' | 'persistence'>;
  /** Faults begin when the database is ready, or with its creation. */
  startsReady: boolean;
  /** How long faults come, in milliseconds. */
  troubleMs: number;
  /** Between two faults, on average, in milliseconds. */
  calmMs: number;
  /** The kinds of faults that come, some more often than others. */
  kinds: readonly FaultKind[];
  /** Whether clients go on writing while the database recovers at the end. */
  writesToTheEnd: boolean;
  deletesAtTheEnd: boolean;
}

export const FAULT_KINDS = [
  'kill-primary',
  'kill-node',
  'kill-shard',
  'kill-all',
  'kill-agent',
  'kill-control',
  'lose-power',
  'restart-everything',
  'stall-node',
  'slow-link',
  'cut-control-agent',
  'cut-control-nodes',
  'cut-machines',
  'isolate-machine',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** The scenario of a seed. */
export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const machines = random.pick([2, 3, 3, 3, 4]);
  const replicas = Math.min(random.pick([0, 1, 1, 1, 1, 2, 2]), machines - 1);
  const kinds = random.shuffled(FAULT_KINDS).slice(0, 1 + random.below(5));
  return {
    machines,
    wish: { shards: random.pick([1, 1, 2, 3, 3, 3, 4]), replicas, persistence: random.pick(PERSISTENCE_MODES) },
    startsReady: random.chance(0.85),
    troubleMs: random.between(3_000, 12_000),
    calmMs: random.pick([100, 400, 1_000, 2_500]),
    // Most of what goes wrong in life is a process that dies.
    kinds: random.chance(0.7) ? [...kinds, 'kill-primary', 'kill-node'] : kinds,
    writesToTheEnd: random.chance(0.5),
    deletesAtTheEnd: random.chance(0.1),
  };
}
