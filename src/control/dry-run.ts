/** What would be done for a database, and what of its spec would change, without doing it. */
import type { Database } from '../domain/database.ts';
import { formatSize } from '../domain/size.ts';
import type { DatabaseSpec, UserSpec } from '../domain/spec.ts';
import type { DatabaseView } from '../domain/view.ts';
import { explainBecause } from '../plan/explain.ts';
import { forecast } from '../plan/forecast.ts';
import type { PlanDocument } from '../protocol/api.ts';
import { SPEC_FIELDS } from '../protocol/spec-fields.ts';
import { isSameValue } from './update.ts';

/**
 * The steps that lead from the view to what is wanted, and what would be in their way.
 * @param wanted the record as it would be then
 * @param present the record as it is; undefined when there is none yet
 */
export function dryRun(wanted: Database, present: Database | undefined, view: DatabaseView): PlanDocument {
  const { stages, blocked } = forecast(wanted, view);
  return {
    database: wanted.name,
    generation: present?.generation ?? 0,
    changes: changesOf(wanted.spec, present?.spec),
    steps: stages.flatMap(({ steps, plan: { problems } }, stage) =>
      steps.map((step) => ({
        stage: stage + 1,
        kind: step.kind,
        target: step.target,
        because: step.because,
        sentence: explainBecause(wanted, step, problems),
      })),
    ),
    blocked: blocked.map(({ because, reason }) => ({ because, reason })),
    reshard: wanted.reshard === (present?.reshard ?? null) ? null : (wanted.reshard?.estimate ?? null),
  };
}

/** The fields of the spec that would be different, in their order. */
export const changesOf = (wanted: DatabaseSpec, present: DatabaseSpec | undefined): PlanDocument['changes'] =>
  (Object.keys(wanted) as (keyof DatabaseSpec)[])
    .filter((field) => !isSameValue(wanted[field], present?.[field]))
    .map((field) => ({ field, from: present?.[field] ?? null, to: wanted[field] }));

/** A changed field for the history: users by their names. */
export function describeChange({ field, to }: PlanDocument['changes'][number]): string {
  const { key, kind } = SPEC_FIELDS[field];
  if (kind === 'size') return `${key} ${formatSize(Number(to))}`;
  if (!Array.isArray(to)) return `${key} ${to}`;
  return `${key} ${(to as readonly UserSpec[]).map(({ name }) => name).join(' ') || 'none'}`;
}
