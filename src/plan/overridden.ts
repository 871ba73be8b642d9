/**
 * Primaries of whose machines a person said that they are off, and whose place another has taken or is to take. Epochs
 * are no fence: one that comes back might have the higher one, and the engine would give it everything. So the other
 * nodes forget it, which the engine obeys, and it is let in again only as a replica.
 */
import type { Database, NodeAssignment } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import type { DatabaseView, ProcessView } from '../domain/view.ts';
import type { Problem } from './problems.ts';
import { type Action, type Situation, shardOf, targetOf } from './remedy.ts';
import { type Member, memberOf, type ShardTopology, shardTopology } from './topology.ts';

/** What was said of a node that nobody hears of: that its machine is gone for good, or off for now. */
export function statedOf(
  { overridden }: Database,
  { id, machine }: NodeAssignment,
  { at, machines }: Pick<DatabaseView, 'at' | 'machines'>,
): ProcessView {
  const isRemoved = machines.some(({ name, state }) => name === machine && state === 'removed');
  return { state: isRemoved || at < (overridden[id]?.until ?? 0) ? 'off' : 'unknown' };
}

/** It was overridden, and is not known to be a replica yet: nobody is to know it. */
export const isShutOut = ({ overridden }: Database, { assignment, engine }: Member): boolean =>
  assignment.id in overridden && engine?.role !== 'replica';

/** Others forget it, and it is ended where it still takes itself for a primary: fenced it comes back. */
export function shutOut(situation: Situation, { node, ...problem }: Problem): Action[] {
  const { database, view } = situation;
  const shut = targetOf(situation, { ...problem, node: node! });
  const { owner } = shardOf(situation, problem);
  const because = problem.code;
  const knowing = database.nodes
    .map((one) => memberOf(one, view))
    .filter(({ assignment, engine }) => assignment.id !== node && engine?.peers.some(({ id }) => id === node));
  const forgetting = knowing
    .filter(({ engine }) => engine!.primaryId !== node)
    .map(({ assignment: { id } }): Action => {
      return { kind: 'forget', target: id, args: { strangers: [node!] }, expects: {}, because };
    });
  if (shut.engine?.role !== 'primary') return forgetting;
  if (shut.view.process.state !== 'running') {
    return [...forgetting, { blocked: `the agent of ${shut.assignment.machine} must answer before ${node} is ended` }];
  }
  if (owner!.engine!.loading) return [...forgetting, { blocked: `${node} is not ended before its successor serves` }];
  const expects = { process: 'running', role: 'primary' } as const;
  return [...forgetting, { kind: 'stop_node', target: node!, args: {}, expects, because }];
}

export interface EndedOverride {
  node: NodeId;
  shard: string;
  /** Nobody took its place, and nobody does any more. */
  isGivenUp: boolean;
}

/** What was said and has no meaning any more: the node is a replica, or gone from the record, or nobody took its place. */
export function endedOverrides(database: Database, view: DatabaseView): EndedOverride[] {
  return Object.entries(database.overridden).flatMap(([id, { until }]): EndedOverride[] => {
    const node = database.nodes.find((one) => one.id === id);
    if (!node) return [{ node: id, shard: '', isGivenUp: false }];
    const shard = shardTopology(database, view, node.shard);
    const member = shard.members.find(({ assignment }) => assignment === node)!;
    if (isBack(member, shard)) return [{ node: id, shard: node.shard, isGivenUp: false }];
    const isHeard = member.engine !== null || !['unknown', 'off'].includes(member.view.process.state);
    const isOver = isHeard || (view.at >= until && member.view.process.state !== 'off');
    return isOver && nobodyElse(shard, member) ? [{ node: id, shard: node.shard, isGivenUp: true }] : [];
  });
}

const isBack = ({ engine }: Member, { owner }: ShardTopology): boolean =>
  engine?.role === 'replica' && owner?.engine?.role === 'primary' && engine.primaryId === owner.assignment.id;

/** Every other copy answers, and none owns slots: whoever had been promoted would say so. */
const nobodyElse = ({ members }: ShardTopology, member: Member): boolean =>
  members.every((other) => other === member || (other.engine !== null && other.engine.slots.length === 0));

/** The record without them, unless something else was said meanwhile. */
export function withoutOverrides(database: Database, ended: readonly EndedOverride[], seen: Database): Database {
  const isOver = (id: NodeId): boolean =>
    ended.some(({ node }) => node === id) && database.overridden[id]?.at === seen.overridden[id]?.at;
  const left = Object.entries(database.overridden).filter(([id]) => !isOver(id));
  return { ...database, overridden: Object.fromEntries(left) };
}
