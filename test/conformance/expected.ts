/** A run beside the list of tests that are not expected to pass. */
import type { UnitResult } from './conform.ts';
import { EXPECTED_FAILURES, FAILING, MAY_PASS } from './expected-failures.ts';

/** Why this test is not expected to pass, or null: then it is. */
export const reasonOf = (unit: string, name: string): string | null => EXPECTED_FAILURES[unit]?.[name] ?? null;

export interface Surprises {
  /** Did not pass, and nobody says why: with the suite's words. */
  failed: string[];
  /** Listed as not passing, and passed. */
  passed: string[];
}

/** What is otherwise than listed. */
export function surprisesOf({ unit, notPassed }: UnitResult): Surprises {
  const countOf = (name: string): number => notPassed.filter((one) => one.name === name).length;
  const failed = notPassed.filter(
    ({ name }) => reasonOf(unit, name) === null || countOf(name) > (FAILING[name] ?? Number.POSITIVE_INFINITY),
  );
  const names = new Set(notPassed.map(({ name }) => name));
  return {
    failed: failed.map(({ name, how, detail }) => [name, how, detail].filter((part) => part !== '').join(': ')),
    passed: Object.keys(EXPECTED_FAILURES[unit] ?? {}).filter((name) => !names.has(name) && !MAY_PASS.has(name)),
  };
}

/** Whether all units are as listed. */
export const isAsListed = ({ units }: { units: readonly UnitResult[] }): boolean =>
  units.map(surprisesOf).every(({ failed, passed }) => failed.length === 0 && passed.length === 0);
