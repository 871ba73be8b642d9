/** How far a reshard has come, from what is published of it. Pure. */
import type { DatabaseStatus, NodeStatus } from '../../../src/domain/status.ts';
import type { Step } from './pairs.ts';
import type { Parties } from './striker.ts';

type Seen = Pick<DatabaseStatus, 'reshard' | 'shards'>;
/** The steps that are seen rather than asked for. */
export type SeenStep = Extract<Step, 'made' | 'moved' | 'retired' | 'over'>;

/** Those that have been reached. @param before names of the shards before it was asked for */
export function reachedSteps(before: ReadonlySet<string>, { reshard, shards }: Seen): SeenStep[] {
  const present = new Set(shards.map(({ id }) => id));
  const further = shards.filter(({ id }) => !before.has(id));
  const steps: SeenStep[] = [];
  if (further.length > 0 && further.every(runs)) steps.push('made');
  if (reshard?.state === 'leaving') steps.push('moved');
  if ([...before].some((id) => !present.has(id))) steps.push('retired');
  if (reshard === null) steps.push('over');
  return steps;
}

const runs = ({ primary, replicas }: DatabaseStatus['shards'][number]): boolean =>
  [primary, ...replicas].every((node: NodeStatus | null) => node !== null && node.pid !== null);

/** Who gives and who takes, for a kill before any job has told: of more shards the new ones take. Ids of primaries. */
export function likelyParties(before: ReadonlySet<string>, shards: Seen['shards']): Parties {
  const primaries = shards.flatMap(({ id, primary }) => (primary?.pid ? [{ id, nodeId: primary.nodeId }] : []));
  const old = primaries.filter(({ id }) => before.has(id));
  const target = primaries.findLast(({ id }) => !before.has(id)) ?? old.at(-1);
  const source = old.find((one) => one !== target) ?? target;
  return { source: source?.nodeId ?? '', target: target?.nodeId ?? '' };
}
