/** What would mend a broken rule of placement, in sentences. */
import type { Remedy } from '../../domain/placement.ts';
import { describeAddition } from './addition.ts';

/** Advice for a rule that does not hold; null when nothing that is known of would help. */
export function describeRemedy(remedy: Remedy | null): string {
  switch (remedy?.kind) {
    case undefined:
      return 'No machine that could be added would help.';
    case 'switch_over':
      return `A primary changes places with a replica on another machine as soon as all copies are in sync: of ${remedy.shard}, on ${remedy.to}.`;
    case 'move':
      return `${remedy.to} has room for a copy of ${remedy.shard}, in place of the one on ${remedy.from}.`;
    case 'rearrange':
      return 'The present machines have room to keep this rule, but several copies would have to change places for it.';
    case 'add':
      return `Add ${describeAddition(remedy.add)}${remedy.back.length > 0 ? `, or bring ${named(remedy.back)} back` : ''}.`;
  }
}

/** `a`, `a or b`, `a, b or one of 7 others`. */
function named(machines: readonly string[]): string {
  if (machines.length === 1) return machines[0]!;
  if (machines.length === 2) return machines.join(' or ');
  return `${machines.slice(0, 2).join(', ')} or one of ${machines.length - 2} others`;
}
