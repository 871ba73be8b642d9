/** The tables of all systems, side by side. Pure. */
import { sumByKind } from '../faults/verdict.ts';
import type { Table } from '../support/report.ts';
import { ms, spread, summarize } from '../support/stats.ts';
import { CONDITIONS, type Condition, type Move, type Result, strayKeys } from './result.ts';
import { SYSTEMS, type SystemId } from './system.ts';
import { figuresOf, listed, type Verdict, verdicts, wordsOf } from './verdict.ts';

const MB = 1024 ** 2;

/** What stands in a cell. */
type Cell = (results: readonly Result[], condition: Condition, system: SystemId) => string;

const time =
  (of: (move: Move) => number | null): Cell =>
  (results, condition, system) => {
    const figures = figuresOf(results, condition, system, of);
    if (figures.length === 0) return '';
    return figures.length === 1 ? ms(figures[0]!) : spread(summarize(figures));
  };

const count =
  (of: (move: Move) => number): Cell =>
  (results, condition, system) => {
    const figures = figuresOf(results, condition, system, of);
    if (figures.length === 0) return '';
    const [least, most] = [Math.min(...figures), Math.max(...figures)];
    return least === most ? `${least}` : `${least} to ${most}`;
  };

/** Of all repetitions together; of the condition's result, if there is one. */
const all =
  (of: (result: Result) => string): Cell =>
  (results, condition, system) => {
    const result = results.find((one) => one.condition === condition && one.system === system);
    return result ? of(result) : '';
  };

const sum = ({ moves }: Result, of: (move: Move) => number): string =>
  moves.length === 0 ? '' : `${moves.reduce((total, move) => total + of(move), 0)}`;

interface Row {
  what: string;
  cell: Cell;
}

const TIMES: readonly Row[] = [
  { what: 'time of the slots', cell: time(({ slotsMs }) => slotsMs) },
  { what: 'from the command to its end', cell: time(({ wholeMs }) => wholeMs) },
  { what: 'slots moved', cell: count(({ slots }) => slots) },
];

const CLIENTS: readonly Row[] = [
  { what: '**longest wait**', cell: time(({ clients }) => clients?.moving.longestMs ?? null) },
  { what: 'p99 wait', cell: time(({ clients }) => clients?.moving.p99Ms ?? null) },
  { what: 'p50 wait', cell: time(({ clients }) => clients?.moving.p50Ms ?? null) },
  { what: 'longest pause of the load itself', cell: time(({ clients }) => clients?.moving.ownMs ?? null) },
  { what: 'longest wait, from the command to its end', cell: time(({ clients }) => clients?.whole.longestMs ?? null) },
  {
    what: 'errors at clients',
    cell: all(({ moves }) => listed(sumByKind(moves.map(({ clients }) => clients?.errors ?? {})))),
  },
  { what: 'sent again by ioredis', cell: all((result) => sum(result, ({ clients }) => clients?.sentAgain ?? 0)) },
  {
    what: 'acknowledged writes not there',
    cell: all((result) => sum(result, ({ clients }) => clients?.readBack.lost ?? 0)),
  },
];

const KEYS: readonly Row[] = [
  { what: 'keys before', cell: count(({ keys }) => keys.before) },
  { what: 'their data, in MB, by the primaries', cell: count(({ dataBytes }) => Math.round(dataBytes / MB)) },
  { what: 'memory used by the primaries, in MB', cell: count(({ usedBytes }) => Math.round(usedBytes / MB)) },
  { what: 'missing, or too many, afterwards', cell: all((result) => sum(result, strayKeys)) },
  { what: 'repetitions that failed', cell: all(({ failures }) => [failures.length, ...new Set(failures)].join(': ')) },
];

/** The report. */
export function rebalanceTables(results: readonly Result[], title: string): Table[] {
  const systems = (Object.keys(SYSTEMS) as SystemId[]).filter((id) => results.some(({ system }) => system === id));
  const conditions = CONDITIONS.filter((condition) => results.some((one) => one.condition === condition));
  const table = (words: string, rows: readonly Row[], wanted: readonly Condition[]): Table => ({
    title: words,
    head: ['', ...systems.map((id) => SYSTEMS[id])],
    rows: wanted.flatMap((condition) =>
      rows.map(({ what, cell }) => [
        `${wordsOf(condition)}: ${what}`,
        ...systems.map((system) => cell(results, condition, system)),
      ]),
    ),
  });
  const loaded = conditions.filter(({ isLoaded }) => isLoaded);
  return [
    table(
      `${title}. Time of the slots: from the first job or slot that a bystander sees on its way, to the last owner that all staying primaries tell; for all alike. From the command to its end: with new nodes made, and those without slots taken out`,
      TIMES,
      conditions,
    ),
    ...(loaded.length === 0
      ? []
      : [
          table(
            'What clients wait, each operation from when it was due; while slots move, until a second after the last was placed',
            CLIENTS,
            loaded,
          ),
        ]),
    table('Whether all is there', KEYS, conditions),
    {
      title: 'What is demanded, of medians',
      head: ['', 'measured', 'demand', 'holds'],
      rows: verdicts(results).map(({ what, measured, demand, holds }) => [what, measured, demand, holdsText(holds)]),
    },
  ];
}

const holdsText = (holds: Verdict['holds']): string => (holds === null ? '' : holds ? 'yes' : 'no');
