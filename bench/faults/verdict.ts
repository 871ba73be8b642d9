/** What is demanded of a row, and whether its repetitions hold it. Pure. */
import { ms, percentile } from '../support/stats.ts';
import type { Repetition } from './repetition.ts';

export interface Demand {
  /** The wait, by percent of the repetitions: 50, 99, 100 (all). */
  waitMs: Partial<Record<50 | 99 | 100, number>>;
  /** Acknowledged writes that may be lost; null: they are counted, and none is promised. */
  lost: number | null;
  /** Lost writes were acknowledged no earlier than so long after the fault (before it: negative). */
  lostFromMs?: number;
  /** Errors of commands that were on their way to nothing that was hit; null: clients lose everything, and errors are counted only. */
  strayErrors: 0 | null;
  /** What else is demanded, in words; the fault itself looks (`Seen.broken`). */
  besides?: string;
}

/** Longer than any wait, and a number to reckon with: `never` is told apart. */
const NEVER_MS = 1e12;

const total = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** All errors, by kind. */
export function sumByKind(all: readonly Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const counts of all) for (const [kind, count] of Object.entries(counts)) sums[kind] = (sums[kind] ?? 0) + count;
  return sums;
}

/** What was demanded and is not so, in words; empty when everything holds. */
export function broken(demand: Demand, repetitions: readonly Repetition[]): string[] {
  const findings = repetitions.map(({ finding }) => finding);
  const waits = findings.map(({ waitMs }) => waitMs ?? NEVER_MS);
  const late = ([50, 99, 100] as const).flatMap((percent) => {
    const limit = demand.waitMs[percent];
    const measured = waits.length === 0 ? 0 : percentile(waits, percent);
    return limit === undefined || measured <= limit || measured >= NEVER_MS / 100
      ? []
      : [`wait ${nameOf(percent)} ${ms(measured)} > ${ms(limit)}`];
  });
  const never = waits.filter((wait) => wait === NEVER_MS).length;
  const sum = (of: (finding: Repetition['finding']) => number): number =>
    findings.reduce((all, one) => all + of(one), 0);
  const lost = sum((one) => one.lost);
  const stray = sum(({ strayErrors }) => total(strayErrors));
  const denied = sum((one) => one.deniedButDone);
  const { lostFromMs } = demand;
  const early = lostFromMs === undefined ? 0 : findings.filter((one) => (one.lostFromMs ?? 0) < lostFromMs).length;
  return [
    ...late,
    ...(never > 0 ? [`${never} times no write was accepted again`] : []),
    ...(demand.lost !== null && lost > demand.lost ? [`${lost} acknowledged writes lost`] : []),
    ...(early > 0 ? [`${early} times a write was lost that was acknowledged too long before`] : []),
    ...(demand.strayErrors === 0 && stray > 0 ? [`${stray} errors of commands not in flight`] : []),
    ...(denied > 0 ? [`${denied} writes were said not to be done, and are there`] : []),
    ...new Set(repetitions.flatMap(({ seen }) => seen.broken)),
  ];
}

export const nameOf = (percent: number): string => (percent === 100 ? 'max' : `p${percent}`);
