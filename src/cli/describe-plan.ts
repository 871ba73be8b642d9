/** A dry run in words. */
import type { PlanDocument } from '../protocol/api.ts';
import { SPEC_FIELDS, type SpecField } from '../protocol/spec-fields.ts';
import { describeEstimate } from './describe-reshard.ts';
import { showField } from './spec-options.ts';

/** What of the spec changes, then the steps with their reasons, numbered by stage; steps of one stage run side by side. */
export function describePlan(plan: PlanDocument): string {
  const { database, steps, blocked } = plan;
  const done = steps.map(({ stage, sentence }, index) => {
    const number = steps[index - 1]?.stage === stage ? '' : `${stage}.`;
    return `${number.padStart(4)} ${sentence}`;
  });
  const waiting = blocked.map(({ because, reason }) => `     not now (${because}): ${reason}`);
  if (done.length + waiting.length === 0) waiting.push(`Nothing is to be done for ${database}.`);
  const moves = plan.reshard ? [describeEstimate(plan.reshard)] : [];
  return [...describeChanges(plan), ...moves, ...done, ...waiting].join('\n');
}

function describeChanges({ database, generation, changes }: PlanDocument): string[] {
  if (changes.length === 0) return [];
  const words = changes.map(({ field, from, to }) => {
    const about: SpecField = SPEC_FIELDS[field];
    const now = showField(about, to);
    return from === null ? `${about.key} ${now}` : `${about.key} ${showField(about, from)} -> ${now}`;
  });
  return [`${database} ${generation === 0 ? 'is new' : 'changes'}: ${words.join(', ')}`];
}
