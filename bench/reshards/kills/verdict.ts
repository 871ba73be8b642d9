/** What may be so after a kill, and what may not. Pure. */
import { UNKNOWN } from '../../faults/history.ts';
import { WAYS, type Way } from '../clients.ts';
import { type Finding, isClean } from '../judge.ts';
import type { Repetition } from '../table.ts';
import { type Moment, type Pair, partsOf, type Victim } from './pairs.ts';
import type { Struck } from './striker.ts';

export type Durability = 'async' | 'acknowledged';

/** One reshard with a kill in it. */
export interface Kill extends Repetition {
  durability: Durability;
  pair: Pair;
  /** Null: the moment did not come. */
  struck: Struck | null;
  /** From the kill until the database is ready with the number of shards asked for; null without a kill. */
  overMs: number | null;
  /** From the kill until all else is as it should be as well, by the word of every node; null: not in time, or no kill. */
  wholeMs: number | null;
  /** What was not as it should be when time was up. */
  wrong: string | null;
  /** Of the keys that were there before the first reshard. */
  ballast: Finding;
}

/** Said of operations that were on their way, or found nobody, when the connection to an endpoint had ended. */
const WITHOUT_ENDPOINT = [UNKNOWN, 'connection lost', 'not connected', 'ECONNREFUSED'];

/** Of cluster clients, which go to the nodes themselves and give up after so many tries. */
const WITHOUT_PRIMARY = ['connection lost', 'not connected', 'Too many Cluster redirections'];

/**
 * Kinds of errors that a kill explains. Who is connected to a killed endpoint loses its connection, and is refused until
 * the endpoint is back: an error at the client's side. A killed primary leaves what was on its way to it undecided.
 * Nothing else is a client's business.
 */
const EXPECTED: Record<Victim, Record<Way, readonly string[]>> = {
  control: { endpoint: [], cluster: [] },
  'source-agent': { endpoint: [], cluster: [] },
  'target-agent': { endpoint: [], cluster: [] },
  endpoint: { endpoint: WITHOUT_ENDPOINT, cluster: [] },
  source: { endpoint: [UNKNOWN], cluster: WITHOUT_PRIMARY },
  target: { endpoint: [UNKNOWN], cluster: WITHOUT_PRIMARY },
};

/** Whether what was acknowledged must be there: asynchronous copies promise nothing of it, nor do nodes to who asks them. */
const isPromised = (durability: Durability, way: Way): boolean => durability === 'acknowledged' && way === 'endpoint';

/** What should not be so, in words. */
export function brokenIn(kill: Kill): string[] {
  const { change, durability, pair, struck, wrong, found, errors, ballast, sentAgain } = kill;
  const broken: string[] = [];
  if (change.isStuck) broken.push('stuck');
  if (wrong !== null) broken.push(wrong);
  if (!isClean(ballast)) broken.push(`of what was there before ${ballast.lost} are missing, ${ballast.wrong} differ`);
  for (const way of WAYS) {
    const { lost, wrong: differ, twice } = found[way];
    if (lost > 0 && (struck?.pid == null || isPromised(durability, way) || !isNode(pair.victim)))
      broken.push(`${lost} lost (${way})`);
    if (differ > 0) broken.push(`${differ} there that should not be so (${way})`);
    // ioredis repeats by itself what its connection to a node ended under.
    if (twice > (way === 'cluster' ? sentAgain : 0)) broken.push(`${twice} applied twice (${way})`);
    const expected = struck?.pid == null ? [] : EXPECTED[pair.victim][way];
    const others = Object.entries(errors[way]).filter(([kind]) => !expected.includes(kind));
    for (const [kind, count] of others) broken.push(`${count} errors ${kind} (${way})`);
  }
  return broken;
}

const isNode = (victim: Victim): boolean => victim === 'source' || victim === 'target';

/** Where it was when the kill was sent, by what was seen last: a job has a state at both sides. Empty: no kill. */
export function momentsOf({ pair, struck }: Pick<Kill, 'pair' | 'struck'>): string[] {
  if (struck?.pid == null) return [];
  const [side] = partsOf(pair.moment);
  if (side === 'step') return [pair.moment];
  return (['export', 'import'] as const).flatMap((one) => {
    const state = struck.job?.[one];
    return state == null ? [] : [`${one}:${state}`];
  });
}

/** States in which the target has been granted the slots and its source waits for it, with its writes stopped. */
const GRANTED: readonly string[] = ['export:failover-granted', 'import:failover-granted'] satisfies Moment[];

/** The source then waits until its patience ends. */
export const isTargetAtGrant = (kill: Kill): boolean =>
  kill.pair.victim === 'target' && momentsOf(kill).some((moment) => GRANTED.includes(moment));
