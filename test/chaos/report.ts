/** The summary of a run, in Markdown. */
import type { PlayedRound } from './chaos.ts';
import type { Outcome } from './history.ts';
import type { Scenario } from './scenario.ts';
import { lostWrites } from './verdict.ts';

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** What was played and what it showed. */
export function summaryOf({ seed, machines, databases }: Scenario, rounds: readonly PlayedRound[]): string {
  const byDatabase = databases.map(({ name, durability, acknowledgements, shards, replicas, persistence }) => {
    const verdicts = rounds.flatMap(({ verdicts }) => verdicts[name] ?? []);
    const count = (outcome: Outcome): number => verdicts.reduce((sum, { operations }) => sum + operations[outcome], 0);
    const excused = verdicts.flatMap((one) => one.excused);
    const violations = verdicts.flatMap((one) => one.violations);
    return [
      `${name}: ${durability}${acknowledgements > 0 ? ` ${acknowledgements}` : ''}, ${shards} x ${1 + replicas}, ${persistence}`,
      ...[count('ok'), count('failed'), count('unknown')],
      ...[lostWrites(violations), lostWrites(excused), violations.length],
    ];
  });
  const faults = rounds.flatMap((one) => one.faults);
  const byFault = [...Map.groupBy(faults, ({ name }) => name)].map(([name, all]) => [
    ...[name, all.filter(({ leftOut }) => leftOut === null).length],
    all.filter(({ leftOut }) => leftOut !== null).length,
  ]);
  const ready = rounds.flatMap(({ readyMs }) => readyMs ?? []);
  const bad = rounds.filter(({ trouble }) => trouble !== null).length;
  return [
    `Seed ${seed}: ${machines.length} machines, ${rounds.length} rounds; ${bad} without a good end. ` +
      `Longest time until all was whole: ${(Math.max(0, ...ready) / 1_000).toFixed(1)} s.`,
    table(['database', 'ok', 'failed', 'unknown', 'lost', 'lost in the window', 'violations'], byDatabase),
    table(
      ['fault', 'played', 'left out'],
      byFault.sort(([a], [b]) => (a! < b! ? -1 : 1)),
    ),
  ].join('\n\n');
}
