/** The dry run: plan, suppose every step succeeds, plan again, until nothing is left to do. */
import type { Database } from '../domain/database.ts';
import type { DatabaseView } from '../domain/view.ts';
import { afterStep } from './effects.ts';
import { recordAfter } from './membership.ts';
import { type Blocked, type Plan, plan } from './plan.ts';
import type { Step } from './step.ts';

/** More stages than any real plan has; reaching it is a defect of the planner. */
const MAX_STAGES = 50;

export interface Forecast {
  /** Steps of one stage run side by side; before the next the world is observed anew. */
  stages: { steps: readonly Step[]; plan: Plan }[];
  blocked: readonly Blocked[];
  /** The view when nothing is left to do. */
  view: DatabaseView;
}

/** @throws Error when the plans never end */
export function forecast(present: Database, start: DatabaseView): Forecast {
  let database = present;
  const stages: Forecast['stages'] = [];
  let view = start;
  for (let stage = 0; stage < MAX_STAGES; stage += 1) {
    const next = plan(database, view);
    if (next.steps.length === 0) return { stages, blocked: next.blocked, view };
    stages.push({ steps: next.steps, plan: next });
    if (next.steps.some(({ kind }) => kind === 'delete_record')) return { stages, blocked: [], view };
    for (const step of next.steps) {
      database = recordAfter(database, view, step);
      view = afterStep(database, view, step);
    }
  }
  throw new Error(`the plan for ${database.name} did not end within ${MAX_STAGES} stages`);
}
