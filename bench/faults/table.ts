/** The table of all rows and systems. Pure. */
import type { Table } from '../support/report.ts';
import { ms, percentile } from '../support/stats.ts';
import type { Repetition } from './repetition.ts';
import type { RowResult } from './run-row.ts';
import { broken, type Demand, nameOf, sumByKind } from './verdict.ts';

/** The rows that were done, beside what others did with the same fault. */
export function faultTable(results: readonly RowResult[], systems: readonly string[]): Table {
  const [valkeeper, ...baselines] = systems;
  const rows = [...new Set(results.map(({ row }) => row))];
  const find = (row: RowResult['row'], system: string): RowResult | undefined =>
    results.find((one) => one.row === row && one.system === system);
  return {
    title: 'How long writes wait, and what is lost',
    head: ['fault', 'demand', 'measured', 'holds', ...baselines],
    rows: rows.map((row) => {
      const own = find(row, valkeeper!);
      return [
        row.fault,
        demandText(row.demand),
        ...(own ? [measuredText(own), verdictText(own)] : ['', '']),
        ...baselines.map((system) => {
          const other = find(row, system);
          return other ? comparedText(other) : '';
        }),
      ];
    }),
  };
}

function demandText({ waitMs, lost, strayErrors, besides }: Demand): string {
  const waits = Object.entries(waitMs).map(([percent, limit]) => `${nameOf(Number(percent))} <= ${ms(limit!)}`);
  return [
    ...waits,
    ...(lost === null ? [] : [`lost ${lost}`]),
    ...(strayErrors === null ? [] : ['errors only in flight']),
    ...(besides === undefined ? [] : [besides]),
  ].join('; ');
}

function measuredText({ repetitions, failure }: RowResult): string {
  if (repetitions.length === 0) return failure ?? '';
  const lost = repetitions.reduce((sum, { finding }) => sum + finding.lost, 0);
  return [
    `${timesText(repetitions)}: ${waitsText(repetitions)}`,
    `errors ${errorsText(sumByKind(repetitions.map(({ finding }) => finding.errors)))}`,
    `not in flight ${errorsText(sumByKind(repetitions.map(({ finding }) => finding.strayErrors)))}`,
    `lost ${lost}`,
    ...besidesText(repetitions),
    ...(failure === null ? [] : [`ended early: ${failure}`]),
  ].join('; ');
}

/** Of others: how long and how much; the errors of their clients are not comparable. */
function comparedText({ repetitions, failure }: RowResult): string {
  if (repetitions.length === 0) return failure ?? '';
  const lost = repetitions.reduce((sum, { finding }) => sum + finding.lost, 0);
  const early = failure === null ? [] : [`ended early: ${failure}`];
  const text = [`${timesText(repetitions)}: ${waitsText(repetitions)}`, `lost ${lost}`];
  return [...text, ...besidesText(repetitions), ...early].join('; ');
}

const timesText = ({ length }: readonly Repetition[]): string => (length === 1 ? 'once' : `${length} times`);

function waitsText(repetitions: readonly Repetition[]): string {
  const waits = repetitions.map(({ finding }) => finding.waitMs).filter((wait) => wait !== null);
  if (waits.length === 0) return 'never accepted again';
  if (repetitions.length === 1) return ms(waits[0]!);
  const figures = [50, 99, 100].map((percent) => `${nameOf(percent)} ${ms(percentile(waits, percent))}`);
  const never = repetitions.length - waits.length;
  return `${figures.join(', ')}${never === 0 ? '' : `, ${never} times never`}`;
}

/** Facts that a fault saw besides, as the table names them; times in milliseconds. */
const FACTS = [
  ['promotedAfterMs', 'another was primary after', ms],
  ['endedAfterMs', 'the old process had ended after', ms],
  ['insideLost', 'lost by the client that was cut off', String],
  ['insideLostUntilMs', 'acknowledged until', ms],
  ['missing', 'keys missing that were there before', String],
] as const;

/** The largest of each, and how often there was one. */
function besidesText(repetitions: readonly Repetition[]): string[] {
  return FACTS.flatMap(([fact, name, text]) => {
    const told = repetitions.filter(({ seen }) => fact in seen).map(({ seen }) => [seen[fact]].flat());
    if (told.length === 0) return [];
    const values = told.flat().filter((value) => typeof value === 'number');
    if (values.length === 0) return [`${name}: never`];
    const most = `${name} ${text(Math.max(...values))} at most`;
    return [values.length < told.flat().length ? `${most} (${values.length} of ${told.flat().length})` : most];
  });
}

const errorsText = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(' + ') || '0';

function verdictText({ row, repetitions, failure }: RowResult): string {
  const all = [...broken(row.demand, repetitions), ...(failure === null ? [] : ['ended early'])];
  return all.length === 0 ? 'yes' : `no: ${all.join('; ')}`;
}
