/** What every remedy of the planner works with. */
import type { Database } from '../domain/database.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Problem, ProblemCode } from './problems.ts';
import type { Step } from './step.ts';
import { type Member, memberOf, type ShardTopology, shardTopology } from './topology.ts';

export interface Situation {
  database: Database;
  view: DatabaseView;
  problems: readonly Problem[];
}

/** A step, or why there is none for now. */
export type Action = Step | { blocked: string };

export type Remedy = (situation: Situation, problem: Problem) => Action[];

/** The node that the problem is about. */
export const targetOf = ({ database, view }: Situation, problem: Problem): Member =>
  memberOf(database.nodes.find(({ id }) => id === problem.node)!, view);

/** The shard that the problem is about. */
export const shardOf = ({ database, view }: Situation, problem: Problem): ShardTopology =>
  shardTopology(database, view, problem.shard!);

/** A replica and its living primary change places. */
export function switchOver(heir: Member, owner: Member, because: ProblemCode): Step {
  const insteadOf = owner.assignment.id;
  const expects = { role: 'replica', primaryId: insteadOf } as const;
  return { kind: 'switch_over', target: heir.assignment.id, args: { insteadOf }, expects, because };
}
