/** What counts: a test of the baseline has passed if the suite said `[ok]` for it, once for each time that it stands there. */
import type { Outcome } from './output.ts';

export interface NotPassed {
  name: string;
  /** `not run`: the suite said nothing of it, because its block or its unit was cut short. */
  how: 'failed' | 'skipped' | 'not run';
  detail: string;
}

export interface Compared {
  expected: number;
  passed: number;
  notPassed: NotPassed[];
}

/** Compares what was seen of one unit with its part of the baseline. */
export function compare(expected: readonly string[], outcomes: readonly Outcome[]): Compared {
  const left = new Map<string, Outcome[]>();
  for (const outcome of outcomes) left.set(outcome.name, [...(left.get(outcome.name) ?? []), outcome]);
  // Of several tests with one name those that passed are taken first: which is which cannot be told.
  for (const of of left.values()) of.sort((a, b) => Number(b.status === 'ok') - Number(a.status === 'ok'));

  const notPassed: NotPassed[] = [];
  for (const name of expected) {
    const outcome = left.get(name)?.shift();
    if (outcome?.status === 'ok') continue;
    if (outcome === undefined) notPassed.push({ name, how: 'not run', detail: '' });
    else notPassed.push({ name, how: outcome.status === 'skipped' ? 'skipped' : 'failed', detail: outcome.detail });
  }
  return { expected: expected.length, passed: expected.length - notPassed.length, notPassed };
}
