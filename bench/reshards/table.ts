/** What each reshard showed, in figures, words and tables. Pure. */
import { keySlot } from '../../src/domain/key-slot.ts';
import { sumByKind } from '../faults/verdict.ts';
import type { Table } from '../support/report.ts';
import { ms, percentile } from '../support/stats.ts';
import { WAYS, type Way } from './clients.ts';
import type { Change } from './course.ts';
import { type Finding, OK, sumOf } from './judge.ts';
import type { Operation, Round } from './load.ts';

const SLOWEST_TOLD = 3;

type ByWay<T> = Record<Way, T>;

/** Of the operations of a round, those under way during the reshard; errors are of all. */
interface Measured {
  operations: number;
  longestMs: ByWay<number>;
  /** Those that waited longest, see `toldOf`. */
  longest: ByWay<readonly string[]>;
  errors: ByWay<Record<string, number>>;
}

export interface Repetition extends Measured {
  change: Change;
  /** The longest time in which the measuring program itself did nothing. */
  ownPauseMs: number;
  /** Commands that ioredis repeated by itself because a connection of a cluster client ended. */
  sentAgain: number;
  found: ByWay<Finding>;
  /** The first operations that failed, see `failedIn`. */
  failed: readonly string[];
}

/** What belongs to no single reshard. */
export interface Remains {
  repetitions: readonly Repetition[];
  /** Of the operations after the last reshard, and of all counters when nothing was under way any more. */
  last: { found: ByWay<Finding>; errors: ByWay<Record<string, number>> };
  ballast: Finding;
  readErrors: readonly string[];
  operations: number;
  /** Why it ended early; null: it did not. */
  failure: string | null;
}

const byWay = <T>(of: (way: Way) => T): ByWay<T> => ({ endpoint: of('endpoint'), cluster: of('cluster') });
const countBy = (kinds: readonly string[]): Record<string, number> => sumByKind(kinds.map((kind) => ({ [kind]: 1 })));

const waitOf = ({ sentAt, answeredAt }: Operation): number => answeredAt! - sentAt;

/**
 * How long they waited, and what became of them.
 * @param origin milliseconds since the epoch of the moment from which their times are counted
 */
export function measuredIn(
  { startedAt, endedAt }: Pick<Change, 'startedAt' | 'endedAt'>,
  round: Round,
  origin: number,
): Measured {
  const of = (way: Way): Operation[] => round.operations.filter((operation) => operation.way === way);
  const during = ({ sentAt, answeredAt }: Operation): boolean => sentAt <= endedAt && answeredAt! >= startedAt;
  const slowest = byWay((way) =>
    of(way)
      .filter(during)
      .sort((a, b) => waitOf(b) - waitOf(a))
      .slice(0, SLOWEST_TOLD),
  );
  return {
    operations: round.operations.length,
    longestMs: byWay((way) => (slowest[way][0] ? waitOf(slowest[way][0]) : 0)),
    longest: byWay((way) => slowest[way].map((operation) => toldOf(operation, origin))),
    errors: errorsIn(round),
  };
}

/** The errors of a round, by kind. */
export const errorsIn = ({ operations }: Round): ByWay<Record<string, number>> =>
  byWay((one) => countBy(operations.flatMap(({ way, outcome }) => (way !== one || outcome === OK ? [] : [outcome]))));

/** `3 MOVED, 1 CLUSTERDOWN`. */
export const listed = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ') || '0';

const foundIn = (findings: readonly ByWay<Finding>[]): Finding =>
  sumOf(findings.flatMap((found) => WAYS.map((way) => found[way])));

/** One operation, so that events and logs can be laid beside it. */
function toldOf({ key, outcome, sentAt, answeredAt }: Operation, origin: number): string {
  const [sent, ended] = [sentAt, answeredAt!].map((at) => new Date(origin + at).toISOString());
  return `${outcome}: ${key} (slot ${keySlot(key)}), sent ${sent}, ended ${ended}`;
}

/** The operations of a round that ended in an error, as `measuredIn` has times. */
export const failedIn = ({ operations }: Round, origin: number): string[] =>
  operations.filter(({ outcome }) => outcome !== OK).map((operation) => toldOf(operation, origin));

/** One line for people. */
export function wordsOf({ change, longestMs, errors, found, ownPauseMs, operations, sentAgain }: Repetition): string {
  const { from, to, act, isStuck, startedAt, endedAt, estimate, seconds } = change;
  const { lost, wrong, twice } = foundIn([found]);
  const moved = estimate ? `${estimate.slots} slots, ${estimate.keys} keys, ${estimate.jobs} jobs` : 'no estimate';
  return [
    `${from} -> ${to}${act ? ` (${act})` : ''}${isStuck ? ' STUCK' : ''}`,
    `${moved} in ${ms(endedAt - startedAt)} (event ${seconds} s, expected ${estimate?.seconds} s)`,
    `wait ${ms(longestMs.endpoint)} endpoint, ${ms(longestMs.cluster)} cluster, own ${ms(ownPauseMs)}`,
    `${operations} operations`,
    ...WAYS.map((way) => `errors ${way} ${listed(errors[way])}`),
    ...(sentAgain > 0 ? [`${sentAgain} sent again by ioredis`] : []),
    `lost ${lost}, wrong ${wrong}, twice ${twice}`,
  ].join('; ');
}

/** What is not as it should be, in words; empty when all is. */
export function complaints(repetitions: readonly Repetition[], remains?: Remains): string[] {
  const stuck = repetitions.filter(({ change }) => change.isStuck).length;
  const all = [...repetitions, ...(remains ? [remains.last] : [])];
  const errors = sumByKind(all.flatMap((one) => WAYS.map((way) => one.errors[way])));
  const found = foundIn(all.map((one) => one.found));
  const { ballast, readErrors = [] } = remains ?? {};
  const counts: [number, string][] = [
    [stuck, 'reshards were stuck'],
    [found.lost, 'acknowledged operations were lost'],
    [found.wrong, 'operations are there that should not be so'],
    [found.twice, 'operations were applied twice'],
    [ballast?.lost ?? 0, 'keys of the ballast are missing'],
    [ballast?.wrong ?? 0, 'keys of the ballast have another value'],
    ...Object.entries(errors).map(([kind, count]): [number, string] => [count, `errors at clients: ${kind}`]),
    [readErrors.length, 'errors when reading back'],
  ];
  const broken = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return remains?.failure ? [`ended early: ${remains.failure}`, ...broken] : broken;
}

/** The report. */
export function reshardTables(title: string, remains: Remains): Table[] {
  const { repetitions, last, ballast, readErrors, operations } = remains;
  const changes = repetitions.map(({ change }) => change);
  const sentAgain = repetitions.reduce((sum, one) => sum + one.sentAgain, 0);
  const plain = changes.filter(({ act, isStuck }) => (act === null || act === 'too late') && !isStuck);
  const all = [...repetitions, last];
  const found = byWay((way) => sumOf(all.map((one) => one.found[way])));
  const errors = byWay((way) => listed(sumByKind(all.map((one) => one.errors[way]))));
  const both = (of: (way: Way) => number | string): string[] => WAYS.map((way) => `${of(way)}`);
  const acted = (act: Change['act']): number => changes.filter((change) => change.act === act).length;
  const ratios = (of: (change: Change) => number | null): number[] =>
    plain.flatMap((change) => {
      const seconds = of(change);
      return seconds === null || change.estimate === null ? [] : [seconds / change.estimate.seconds];
    });
  return [
    {
      title,
      head: ['', 'p50', 'p99', 'max'],
      rows: [
        [
          'the longest wait at each, through the endpoint',
          ...figures(repetitions.map((one) => one.longestMs.endpoint)),
        ],
        ['the longest wait at each, cluster clients', ...figures(repetitions.map((one) => one.longestMs.cluster))],
        ['the longest pause of the measuring program itself', ...figures(repetitions.map((one) => one.ownPauseMs))],
        ['from the request until ready', ...figures(changes.map(({ startedAt, endedAt }) => endedAt - startedAt))],
        [
          'time of the slots / estimate',
          ...figures(
            ratios(({ seconds }) => seconds),
            ratio,
          ),
        ],
        [
          'from the request until ready / estimate',
          ...figures(
            ratios(({ startedAt, endedAt }) => (endedAt - startedAt) / 1_000),
            ratio,
          ),
        ],
      ],
    },
    {
      title: 'Demanded',
      head: ['', 'endpoint', 'cluster clients', 'demand'],
      rows: [
        ['acknowledged operations lost', ...both((way) => found[way].lost), '0'],
        ['wrong', ...both((way) => found[way].wrong), '0'],
        ['applied twice', ...both((way) => found[way].twice), '0'],
        ['errors at clients', ...both((way) => errors[way]), '0'],
      ],
    },
    {
      title: 'All of it',
      head: ['', 'measured', 'demand'],
      rows: [
        ['reshards', `${changes.length}, of which ${acted('pause')} were paused and ${acted('cancel')} cancelled`, ''],
        ['stuck', `${changes.filter(({ isStuck }) => isStuck).length}`, '0'],
        ['operations', `${operations}`, ''],
        ['keys of the ballast missing / with another value', `${ballast.lost} / ${ballast.wrong}`, '0 / 0'],
        ['errors when reading back', listed(countBy(readErrors)), '0'],
        ['commands that ioredis sent again by itself as a connection ended', `${sentAgain}`, ''],
      ],
    },
  ];
}

const ratio = (value: number): string => value.toFixed(2);

const figures = (values: readonly number[], format: (value: number) => string = ms): string[] =>
  values.length === 0 ? ['-', '-', '-'] : [50, 99, 100].map((percent) => format(percentile(values, percent)));
