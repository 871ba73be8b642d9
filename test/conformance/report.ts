/** A run of the suite for people: a table of the units, and what did not pass. */
import type { NotPassed } from './compare.ts';
import type { Conformance, UnitResult } from './conform.ts';
import { reasonOf, surprisesOf } from './expected.ts';

/** So much of an error's text is shown; `--json` has all of it. */
const MAX_DETAIL_LINES = 6;

/** The page that `npm run conformance` prints. */
export function report(run: Conformance): string {
  const units = [...run.units.map(row), ['**all**', `${run.passed}/${run.expected}`, run.seconds.toFixed(1), '']];
  const table = [['unit', 'passed', 'seconds', ''], ['---', '---', '---', '---'], ...units];
  const lines = table.map((cells) => `| ${cells.join(' | ')} |`);
  const failures = run.units.flatMap(describe);
  const total = `${floor(run.percent)} % of the ${run.expected} tests that pass on one node of Valkey ${run.version} itself.`;
  return [...lines, '', ...(failures.length > 0 ? [...failures, ''] : []), total].join('\n');
}

/** One line while it runs. */
export function progressOf({ unit, passed, expected, seconds, stopped }: UnitResult): string {
  return `${unit}: ${passed}/${expected} in ${seconds.toFixed(1)} s${stopped === null ? '' : ', cut short'}`;
}

/** Never rounded up: 100 % is said of all only. */
const floor = (percent: number): string => (Math.floor(percent * 100) / 100).toFixed(2);

function row({ unit, passed, expected, seconds, stopped, between, passedLater }: UnitResult): string[] {
  const notes = [
    ...(stopped === null ? [] : ['cut short']),
    ...(between.length === 0 ? [] : [`${between.length} errors between tests`]),
    ...(passedLater.length === 0 ? [] : [`${passedLater.length} more pass without those that failed`]),
  ];
  return [unit, `${passed}/${expected}`, seconds.toFixed(1), notes.join(', ')];
}

function describe(result: UnitResult): string[] {
  const { unit, notPassed, between, stopped } = result;
  const surprises = surprisesOf(result).passed;
  if (notPassed.length + between.length + surprises.length === 0 && stopped === null) return [];
  const lines = [
    ...notPassed.filter(({ how }) => how !== 'not run').map((test) => one(unit, test)),
    ...between.map((text) => `- between tests: ${shorten(text)}`),
    ...(stopped === null ? [] : [`- cut short: ${shorten(stopped)}`]),
    ...notPassed.filter(({ how }) => how === 'not run').map((test) => one(unit, test)),
    ...surprises.map((name) => `- passed, and is listed as not passing: ${name}`),
  ];
  return [`${unit}:`, ...lines];
}

function one(unit: string, { name, how, detail }: NotPassed): string {
  const reason = reasonOf(unit, name);
  const lines = [...(reason === null ? [] : [`listed: ${reason}`]), ...(detail === '' ? [] : [shorten(detail)])];
  return [`- ${how}: ${name}`, ...lines].join('\n    ');
}

function shorten(text: string): string {
  const lines = text.trim().split('\n');
  const shown = lines.slice(0, MAX_DETAIL_LINES);
  return [...shown, ...(lines.length > shown.length ? ['...'] : [])].join('\n    ');
}
