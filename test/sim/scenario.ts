/** What a seed stands for: a fleet, a wish, and what goes wrong when. */
import { type DatabaseSpec, EVICTION_POLICIES, PERSISTENCE_MODES } from '../../src/domain/spec.ts';
import { Random } from './random.ts';

export interface Scenario {
  machines: number;
  wish: Pick<DatabaseSpec, 'shards' | 'replicas' | 'persistence'> &
    Partial<Pick<DatabaseSpec, 'durability' | 'acknowledgements'>>;
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
  /** How long a machine may be away before its copies are made anew. */
  replaceAfterSeconds: number;
  /** Machines that are emptied, by number, and until when; null: to the end. In milliseconds from the first fault on. */
  drains: readonly { machine: number; afterMs: number; untilMs: number | null }[];
  /** The control plane goes in the middle of it all, and comes back so long after the last trouble; null: it does not. */
  alone: { afterMs: number; calmMs: number } | null;
  /** What else is asked for, and how long after the first fault may come, in milliseconds. */
  changes: readonly { afterMs: number; change: Partial<DatabaseSpec> }[];
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
/** What matters to agents that act by themselves. */
export const HOST_FAULT_KINDS = ['cut-hosts', 'isolate-host', 'lag-and-kill', 'lose-host', 'stop-agents'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number] | (typeof HOST_FAULT_KINDS)[number];

/** The scenario of a seed where the control plane does everything. */
export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const machines = random.pick([2, 3, 3, 3, 4]);
  const replicas = Math.min(random.pick([0, 1, 1, 1, 1, 2, 2]), machines - 1);
  const kinds = random.shuffled(FAULT_KINDS).slice(0, 1 + random.below(5));
  const scenario: Omit<Scenario, 'alone' | 'changes' | 'drains' | 'replaceAfterSeconds'> = {
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
  const moves = movesOf(seed, machines, replicas, scenario.troubleMs);
  return { ...scenario, ...moves, alone: null, changes: changesOf(seed, scenario.troubleMs) };
}

/** How long after the last trouble agents have to heal what they can. */
const ALONE_MS = 15_000;

/** The scenario of a seed where agents act by themselves. */
export function guardedScenarioOf(seed: number): Scenario {
  const random = new Random(seed + 5_000_003);
  const machines = random.pick([2, 3, 3, 3, 4, 5]);
  const replicas = Math.min(random.pick([0, 1, 1, 1, 2, 2, 2]), machines - 1);
  const promises = replicas > 0 && random.chance(0.5);
  const durability = promises ? 'acknowledged' : 'async';
  const acknowledgements = promises ? 1 + random.below(replicas) : 1;
  const kinds = guardedKinds(random, replicas);
  const troubleMs = random.pick([4_000, 12_000, 12_000, 35_000]);
  const isAlone = random.chance(0.3);
  const moves = movesOf(seed, machines, replicas, troubleMs);
  return {
    machines,
    wish: {
      ...{ shards: random.pick([1, 1, 2, 3, 3, 4]), replicas, durability, acknowledgements },
      persistence: random.pick(PERSISTENCE_MODES),
    },
    startsReady: random.chance(0.9),
    troubleMs,
    calmMs: random.pick([400, 1_000, 2_500, 6_000]),
    kinds,
    writesToTheEnd: random.chance(0.5),
    deletesAtTheEnd: random.chance(0.05),
    alone: isAlone ? { afterMs: random.between(0, troubleMs), calmMs: ALONE_MS } : null,
    ...moves,
    ...(isAlone ? { drains: [] } : {}),
    changes: random.chance(0.5) ? [] : changesOf(seed, troubleMs),
  };
}

/** Two copies can differ: that is looked for most often. */
function guardedKinds(random: Random, replicas: number): FaultKind[] {
  const all = random.shuffled<FaultKind>([...FAULT_KINDS, ...HOST_FAULT_KINDS, ...HOST_FAULT_KINDS]);
  const kinds = all.slice(0, 1 + random.below(4));
  if (replicas > 1 && random.chance(0.5)) return ['lag-and-kill', 'lag-and-kill', ...kinds.slice(0, 1)];
  return random.chance(0.6) ? [...kinds, 'isolate-host', 'kill-primary'] : kinds;
}

/** In every other seed copies are made anew after seconds, and in some of these a machine is emptied: apart from the rest. */
function movesOf(
  seed: number,
  machines: number,
  replicas: number,
  troubleMs: number,
): Pick<Scenario, 'drains' | 'replaceAfterSeconds'> {
  const random = new Random(seed + 4_000_003);
  const replaceAfterSeconds = random.chance(0.5) ? 5 : 60;
  if (random.chance(0.5)) return { replaceAfterSeconds, drains: [] };
  const afterMs = random.between(0, troubleMs);
  const canStayEmpty = machines > replicas + 1;
  const untilMs =
    canStayEmpty && random.chance(0.6) ? null : Math.min(afterMs + random.between(100, troubleMs), troubleMs);
  return { replaceAfterSeconds, drains: [{ machine: random.below(machines), afterMs, untilMs }] };
}

const MIB = 1024 ** 2;

/** Half of the seeds ask for something else, up to three times: apart from the rest, which they leave as it is. */
function changesOf(seed: number, troubleMs: number): Scenario['changes'] {
  const random = new Random(seed + 2_000_003);
  const usersRandom = new Random(seed + 3_000_003);
  if (random.chance(0.5)) return [];
  return Array.from({ length: 1 + random.below(3) }, () => ({
    afterMs: random.between(0, troubleMs),
    change: {
      ...(random.chance(0.3) ? { memoryBytes: random.pick([64, 256, 1_024]) * MIB } : {}),
      ...(random.chance(0.2) ? { eviction: random.pick(EVICTION_POLICIES) } : {}),
      ...(usersRandom.chance(0.3) ? { users: [{ name: usersRandom.pick(['app', 'web']), rules: '~* +@all' }] } : {}),
      ...(random.chance(0.8) ? { persistence: random.pick(PERSISTENCE_MODES) } : {}),
    },
  }));
}
