/** A run of the suite against an address, compared with the baseline. */
import type { Baseline } from './baseline.ts';
import { compare, type NotPassed } from './compare.ts';
import { endScripts } from './end-scripts.ts';
import { LEFT_OUT } from './expected-failures.ts';
import type { Outcome } from './output.ts';
import type { Address, Suite } from './run-unit.ts';

export interface UnitResult {
  unit: string;
  expected: number;
  passed: number;
  notPassed: NotPassed[];
  /** Errors between tests: each took the rest of its block with it. */
  between: string[];
  /** Why the unit did not come to its end, or null. */
  stopped: string | null;
  seconds: number;
  /** Of those not passed, by name: they did in further runs without the ones that failed. They are not counted. */
  passedLater: string[];
}

export interface Conformance {
  version: string;
  address: Address;
  expected: number;
  passed: number;
  /** Of the tests of the baseline in these units that passed. */
  percent: number;
  seconds: number;
  units: UnitResult[];
}

export interface ConformOptions {
  units: readonly string[];
  signal: AbortSignal;
  /** Runs a unit again without the tests that failed, to tell what they alone hid. */
  again?: boolean;
  onUnit?: (result: UnitResult) => void;
}

/** Further runs of one unit. */
const MAX_AGAIN = 3;

/** Runs the units one after the other. What counts is the first run of each. */
export async function conform(
  suite: Suite,
  baseline: Baseline,
  address: Address,
  options: ConformOptions,
): Promise<Conformance> {
  const units: UnitResult[] = [];
  for (const unit of options.units) {
    const expected = baseline.units.get(unit);
    if (expected === undefined) throw new Error(`no unit of the baseline is called ${unit}`);
    const result = await runUnit(suite, unit, expected, address, options);
    units.push(result);
    options.onUnit?.(result);
  }
  const sum = (of: (unit: UnitResult) => number): number => units.reduce((total, unit) => total + of(unit), 0);
  const [expected, passed] = [sum((unit) => unit.expected), sum((unit) => unit.passed)];
  const { host, port } = address;
  return {
    version: baseline.version,
    address: { host, port },
    expected,
    passed,
    percent: (100 * passed) / expected,
    seconds: sum((unit) => unit.seconds),
    units,
  };
}

async function runUnit(
  suite: Suite,
  unit: string,
  expected: readonly string[],
  address: Address,
  { signal, again = false }: ConformOptions,
): Promise<UnitResult> {
  const leftOut = LEFT_OUT[unit] ?? [];
  const first = await suite.run(unit, address, signal, { skip: leftOut });
  await endScripts(address);
  const compared = compare(expected, first.outcomes);
  const between = first.outcomes.filter(({ status }) => status === 'outside').map(({ detail }) => detail);
  const result = { unit, ...compared, between, stopped: first.stopped, seconds: first.seconds, passedLater: [] };
  if (!again || compared.notPassed.length === 0) return result;
  return {
    ...result,
    passedLater: await laterPassed(suite, unit, compared.notPassed, first.outcomes, address, signal),
  };
}

/** The names of those not passed that pass when the ones that failed before are left out, again and again. */
async function laterPassed(
  suite: Suite,
  unit: string,
  notPassed: readonly NotPassed[],
  firstOutcomes: readonly Outcome[],
  address: Address,
  signal: AbortSignal,
): Promise<string[]> {
  const open = new Set(notPassed.map(({ name }) => name));
  const passed: string[] = [];
  const skip = new Set<string>(LEFT_OUT[unit]);
  let outcomes = firstOutcomes;
  for (let run = 1; run <= MAX_AGAIN && open.size > 0; run += 1) {
    const failed = outcomes.filter(({ status, name }) => status === 'failed' && !skip.has(name));
    if (failed.length === 0) break;
    for (const { name } of failed) skip.add(name);
    outcomes = (await suite.run(unit, address, signal, { skip: [...skip] })).outcomes;
    for (const { status, name } of outcomes) if (status === 'ok' && open.delete(name)) passed.push(name);
  }
  return passed;
}
