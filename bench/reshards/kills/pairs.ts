/** Who is killed and when: all pairs in turn, each with a reshard in which it can happen. Pure but for the seed. */
import { JOB_PHASES } from '../../../src/domain/reshard.ts';
import type { Random } from '../../../test/sim/random.ts';
import { type Course, drawAct } from '../course.ts';

export const VICTIMS = ['control', 'source-agent', 'target-agent', 'endpoint', 'source', 'target'] as const;
export type Victim = (typeof VICTIMS)[number];

type Phase = (typeof JOB_PHASES)[number];
type Unseen = 'sending-auth-command' | 'sending-establish-command';
const UNSEEN: readonly Phase[] = ['sending-auth-command', 'sending-establish-command'] satisfies Unseen[];
const isSeen = (phase: Phase): phase is Exclude<Phase, Unseen> => !UNSEEN.includes(phase);

/**
 * States of a job at the node that gives, in the engine's order (CLUSTER GETSLOTMIGRATIONS). Two of
 * them begin and end within one call: nobody can see them.
 */
export const EXPORT_STATES = [...JOB_PHASES.filter(isSeen), 'success'] as const;
/** The same at the node that takes. */
export const IMPORT_STATES = [
  'waiting-for-ack',
  'receiving-snapshot',
  'waiting-for-paused',
  'failover-requested',
  'failover-granted',
  'success',
] as const;
/**
 * What the control plane stores or has done. `accepted`, `paused`, `resumed` and `cancelled` count from the request, so
 * that the kill comes before or after it is stored; `made`: all nodes of the new shards run; `moved`: the last slot is
 * where it is to be, and shards without any are still there; `retired`: one of them is out of the record; `over`: nothing
 * is left to do.
 */
export const STEPS = ['accepted', 'made', 'moved', 'retired', 'over', 'paused', 'resumed', 'cancelled'] as const;
export type Step = (typeof STEPS)[number];

export type JobMoment = `export:${(typeof EXPORT_STATES)[number]}` | `import:${(typeof IMPORT_STATES)[number]}`;
export type Moment = JobMoment | `step:${Step}`;

export const MOMENTS: readonly Moment[] = [
  ...EXPORT_STATES.map((state) => `export:${state}` as const),
  ...IMPORT_STATES.map((state) => `import:${state}` as const),
  ...STEPS.map((step) => `step:${step}` as const),
];

export interface Pair {
  victim: Victim;
  moment: Moment;
}

export const LEAST_SHARDS = 1;
export const MOST_SHARDS = 5;

/** The state of which side, or the step. */
export function partsOf(moment: Moment): ['export' | 'import' | 'step', string] {
  const colon = moment.indexOf(':');
  return [moment.slice(0, colon) as 'export' | 'import' | 'step', moment.slice(colon + 1)];
}

/** What has to change for it to happen: new shards are made by more of them only, and old ones leave by fewer only. */
function directionOf({ victim, moment }: Pair): 'more' | 'fewer' | 'any' {
  if (moment === 'step:made') return 'more';
  if (moment === 'step:moved' || moment === 'step:retired') return 'fewer';
  // The source of the last job is gone when there are fewer.
  return moment === 'step:over' && victim === 'source' ? 'more' : 'any';
}

const keyOf = ({ victim, moment }: Pair): string => `${victim} ${moment}`;

/** Every pair in turn: the next is one of those tried least that can happen with so many shards. */
export class Turns {
  readonly #pairs: readonly Pair[];
  readonly #tries = new Map<string, number>();

  constructor(victims: readonly Victim[], moments: readonly Moment[]) {
    this.#pairs = victims.flatMap((victim) => moments.map((moment) => ({ victim, moment })));
  }

  /** Counts as tried. */
  next(shards: number, random: Random): Pair {
    const can = this.#pairs.filter((pair) => targetsOf(pair, shards).length > 0);
    // Nothing asked for can happen now: any other change brings the number of shards to where it can.
    if (can.length === 0) return random.pick(this.#pairs);
    const triesOf = (pair: Pair): number => this.#tries.get(keyOf(pair)) ?? 0;
    const least = Math.min(...can.map(triesOf));
    const pair = random.pick(can.filter((one) => triesOf(one) === least));
    this.#tries.set(keyOf(pair), least + 1);
    return pair;
  }
}

/** Numbers of shards to which a reshard can lead in which it happens. */
function targetsOf(pair: Pair, shards: number): number[] {
  const direction = directionOf(pair);
  return Array.from({ length: MOST_SHARDS - LEAST_SHARDS + 1 }, (_, index) => LEAST_SHARDS + index).filter(
    (count) => count !== shards && (direction === 'any' || count > shards === (direction === 'more')),
  );
}

/** Until nodes of new shards run and serve. */
const ACTS_LATE_MS = 3_500;

/** The reshard: where to, and what a person does meanwhile, if the moment needs it or chance will have it. */
export function courseFor(pair: Pair, shards: number, random: Random): Course {
  const targets = targetsOf(pair, shards);
  const others = targets.length > 0 ? targets : targetsOf({ victim: pair.victim, moment: 'step:accepted' }, shards);
  const to = random.pick(others);
  const drawn = drawAct(random, to > shards ? ACTS_LATE_MS : undefined);
  const [side, what] = partsOf(pair.moment);
  if (side !== 'step') return { to, act: drawn.happens ? drawn.act : null };
  if (what === 'cancelled') return { to, act: { ...drawn.act, kind: 'cancel' } };
  if (what === 'paused' || what === 'resumed') return { to, act: { ...drawn.act, kind: 'pause' } };
  return { to, act: null };
}
