/** Whom a run can be of: all as it is, the control plane alone, and those that are wrong on purpose. */
import { plan } from '../../src/plan/plan.ts';
import { BROKEN_AGENTS, REAL_AGENTS } from './agent/broken-agents.ts';
import { BROKEN_PLANNERS } from './broken-planners.ts';
import type { Invariant } from './invariants.ts';
import type { Mind } from './world.ts';

/** All as it is. */
export const REAL_MIND: Mind = { plan, arrange: (places) => places, agents: REAL_AGENTS };

/** The control plane as it is, with agents that do nothing by themselves: all is left to it. */
export const CONTROL_ALONE: Mind = { ...REAL_MIND, agents: null };

export interface BrokenMind extends Mind {
  wrong: string;
  breaks: readonly Invariant[];
}

const entries: [string, BrokenMind][] = [
  ...Object.entries(BROKEN_PLANNERS).map(
    ([name, broken]) => [name, { ...CONTROL_ALONE, ...broken }] satisfies [string, BrokenMind],
  ),
  ...Object.entries(BROKEN_AGENTS).map(
    ([name, broken]) => [name, { ...REAL_MIND, ...broken }] satisfies [string, BrokenMind],
  ),
];

/** Everybody that is wrong on purpose, by name. */
export const BROKEN_MINDS: ReadonlyMap<string, BrokenMind> = new Map(entries);

const ALL: ReadonlyMap<string, Mind> = new Map<string, Mind>([
  ['real', REAL_MIND],
  ['control-alone', CONTROL_ALONE],
  ...BROKEN_MINDS,
]);

/** @throws Error for a name that nobody has */
export function mindOf(name: string): Mind {
  const mind = ALL.get(name);
  if (!mind) throw new Error(`it must be one of ${[...ALL.keys()].join(', ')}, not ${name}`);
  return mind;
}
