/**
 * The baseline: the tests that pass on one node of the engine itself. `baseline.txt` has a line `# unit` for each unit,
 * and below it a line for each test; a name that a unit uses more than once stands there as often.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('baseline.txt', import.meta.url);

export interface Baseline {
  /** Of the engine, and so of its suite. */
  version: string;
  /** The names of the tests by unit, in the order in which they run. */
  units: ReadonlyMap<string, readonly string[]>;
}

export const readBaseline = (): Baseline => parseBaseline(readFileSync(FILE, 'utf8'));

export function parseBaseline(text: string): Baseline {
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const version = /^Valkey (\S+)$/.exec(head)?.[1];
  if (version === undefined) throw new Error('the baseline does not begin with the version of the engine');
  const units = new Map<string, string[]>();
  let names: string[] = [];
  for (const line of lines) {
    if (line.startsWith('# ')) {
      names = [];
      units.set(line.slice(2), names);
    } else names.push(line);
  }
  return { version, units };
}

export function formatBaseline({ version, units }: Baseline): string {
  const strange = [...units.values()].flat().find((name) => name.startsWith('# ') || name.includes('\n'));
  if (strange !== undefined) throw new Error(`a test's name must be one line that is no heading: ${strange}`);
  const blocks = [...units].flatMap(([unit, names]) => [`# ${unit}`, ...names]);
  return `${[`Valkey ${version}`, ...blocks].join('\n')}\n`;
}

export const writeBaseline = (baseline: Baseline): void => writeFileSync(FILE, formatBaseline(baseline));
