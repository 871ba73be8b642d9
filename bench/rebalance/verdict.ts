/** What is demanded of Valkeeper beside valkey-cli, and whether what was measured holds it. Pure. */
import { sumByKind } from '../faults/verdict.ts';
import { summarize } from '../support/stats.ts';
import { type Condition, type Move, type Result, strayKeys } from './result.ts';
import type { SystemId } from './system.ts';

/** One line of the table. */
export interface Verdict {
  what: string;
  measured: string;
  demand: string;
  /** Null: what it takes was not measured. */
  holds: boolean | null;
}

/** What the others are measured by. */
const YARDSTICK: SystemId = 'atomic';

/** Of medians, as a multiple of those of atomic migration by valkey-cli. */
const RATIOS: readonly { system: SystemId; what: string; of: (move: Move) => number | null; most: number }[] = [
  { system: 'fast', what: 'time of the slots', of: ({ slotsMs }) => slotsMs, most: 1.2 },
  { system: 'gentle', what: 'time of the slots', of: ({ slotsMs }) => slotsMs, most: 2 },
  {
    system: 'gentle',
    what: 'longest wait of a client',
    of: ({ clients }) => clients?.moving.longestMs ?? null,
    most: 0.25,
  },
];

/** Every demand, with what was measured. */
export function verdicts(results: readonly Result[]): Verdict[] {
  const conditions = [...new Set(results.map(({ condition }) => condition))];
  return [
    ...RATIOS.flatMap(({ system, what, of, most }) =>
      conditions.flatMap((condition) => {
        if (what !== 'time of the slots' && !condition.isLoaded) return [];
        const ratio = ratioOf(results, condition, system, of);
        return [
          {
            what: `\`${system}\`, ${wordsOf(condition)}: ${what}, against valkey-cli atomic`,
            measured: ratio === null ? 'not measured' : `${ratio.toFixed(2)} x`,
            demand: `<= ${most} x`,
            holds: ratio === null ? null : ratio <= most,
          },
        ];
      }),
    ),
    ...counted(results),
  ];
}

/** `under load, 3 -> 4 shards`. */
export const wordsOf = ({ isLoaded, from, to }: Condition): string =>
  `${isLoaded ? 'under load' : 'idle'}, ${from} -> ${to} shards`;

/** The figures of a system under a condition; none where it was not measured. */
export function figuresOf(
  results: readonly Result[],
  condition: Condition,
  system: SystemId,
  of: (move: Move) => number | null,
): number[] {
  const result = results.find((one) => one.condition === condition && one.system === system);
  return (result?.moves ?? []).map(of).filter((figure) => figure !== null);
}

function ratioOf(
  results: readonly Result[],
  condition: Condition,
  system: SystemId,
  of: (move: Move) => number | null,
): number | null {
  const [own, others] = [system, YARDSTICK].map((id) => figuresOf(results, condition, id, of)) as [number[], number[]];
  return own.length === 0 || others.length === 0 ? null : summarize(own).median / summarize(others).median;
}

function counted(results: readonly Result[]): Verdict[] {
  const own = results.filter(({ system }) => system !== 'keys' && system !== 'atomic');
  const clients = movesOf(own).flatMap((move) => move.clients ?? []);
  const errors = sumByKind(clients.map((one) => one.errors));
  const readBacks = movesOf(results).flatMap((move) => move.clients?.readBack ?? []);
  const sum = (figures: readonly number[]): number => figures.reduce((all, one) => all + one, 0);
  return [
    nothing('errors at clients of Valkeeper', errors, clients.length > 0),
    nothing(
      'acknowledged writes that are not there, of all',
      sum(readBacks.map(({ lost }) => lost)),
      readBacks.length > 0,
    ),
    nothing('keys missing, or too many, of all', sum(movesOf(results).map(strayKeys)), movesOf(results).length > 0),
    nothing('repetitions of Valkeeper that failed', sum(own.map(({ failures }) => failures.length)), own.length > 0),
  ];
}

const movesOf = (results: readonly Result[]): Move[] => results.flatMap(({ moves }) => moves);

/** None is to be counted. */
function nothing(what: string, found: number | Record<string, number>, isMeasured: boolean): Verdict {
  const text = typeof found === 'number' ? `${found}` : listed(found);
  return { what, measured: isMeasured ? text : 'not measured', demand: '0', holds: isMeasured ? text === '0' : null };
}

/** `2 MOVED, 1 no answer`. */
export const listed = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ') || '0';
