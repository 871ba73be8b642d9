/** What the load's clients saw, and what follows from it. Pure. */
import { sumByKind } from '../faults/verdict.ts';
import { OK } from '../reshards/judge.ts';
import { percentile } from '../support/stats.ts';

/** What an operation does: `new` writes a key that is not there. */
export type Kind = 'read' | 'write' | 'new';

/** What was done; moments are those of one clock, in milliseconds. */
export interface History {
  /** When each was due, when it was answered or given up, and how it ended: `ok`, or the kind of its error. */
  operations: [kind: Kind, dueAt: number, answeredAt: number, outcome: string][];
  /** When the program itself came late, and how long it had done nothing: operations may have waited for that. */
  late: [at: number, ms: number][];
  /** Commands that ioredis repeated by itself because a connection of a cluster client ended. */
  sentAgain: number;
}

/** What became of the acknowledged writes. */
export interface ReadBack {
  checked: number;
  /** Not there, or with another value. */
  lost: number;
}

/** How long operations waited, from the moment at which each was due. */
export interface Waits {
  operations: number;
  p50Ms: number;
  p99Ms: number;
  longestMs: number;
  /** The longest time in which the load's program itself did nothing. */
  ownMs: number;
}

/** Of those that were under way between two moments. */
export function waitsIn({ operations, late }: History, from: number, to: number): Waits {
  const waits = operations
    .filter(([, dueAt, answeredAt]) => dueAt <= to && answeredAt >= from)
    .map(([, dueAt, answeredAt]) => answeredAt - dueAt);
  const own = late.filter(([at, ms]) => at - ms <= to && at >= from).map(([, ms]) => ms);
  const figure = (percent: number): number => (waits.length === 0 ? 0 : percentile(waits, percent));
  return {
    operations: waits.length,
    ...{ p50Ms: figure(50), p99Ms: figure(99), longestMs: figure(100) },
    ownMs: own.reduce((a, b) => Math.max(a, b), 0),
  };
}

/** All that did not end well, by kind. */
export const errorsIn = ({ operations }: History): Record<string, number> =>
  sumByKind(operations.flatMap(([, , , outcome]) => (outcome === OK ? [] : [{ [outcome]: 1 }])));

/** New keys that are there for certain, and those of which nobody knows. */
export function addedIn({ operations }: History): { added: number; unsure: number } {
  const outcomes = operations.filter(([kind]) => kind === 'new').map(([, , , outcome]) => outcome);
  const added = outcomes.filter((outcome) => outcome === OK).length;
  return { added, unsure: outcomes.length - added };
}
