/** The record of a failover that the control plane made: one that a person asked for, or that no agent had made in time. */
import type { Database } from '../domain/database.ts';
import { CONTROL_PLANE, type FailoverCause, type FailoverRecord } from '../domain/failover.ts';
import { type NodeId, shortId } from '../domain/ids.ts';
import { answering, type DatabaseView } from '../domain/view.ts';
import type { Step } from '../plan/step.ts';

/**
 * @param view the look on which it was decided
 * @param seenAt when the primary was first seen to be dead, ms since the epoch
 * @param id new
 * @param now when the replica was seen to be primary, ms since the epoch
 */
export function controlFailover(
  database: Database,
  view: DatabaseView,
  { target, args: { insteadOf, mode } }: Extract<Step, { kind: 'promote' }>,
  seenAt: number,
  id: string,
  now: number,
): FailoverRecord {
  const { shard, machine } = database.nodes.find((node) => node.id === insteadOf)!;
  const beginning = beginningOf(database, view, insteadOf, seenAt);
  const fellows = database.nodes.filter((node) => node.shard === shard && node.id !== insteadOf);
  const candidates = fellows.map((node) => ({
    node: node.id,
    machine: node.machine,
    offset: answering(view.nodes.get(node.id))?.offset ?? null,
  }));
  const told = candidates.map(({ node, machine: where, offset }) => {
    return `${shortId(node)} on ${where} ${offset === null ? 'does not answer' : `is at ${offset}`}`;
  });
  const after = (at: number): number => Math.max(0, Math.round(at - beginning.at));
  return {
    ...{ id, database: database.name, databaseUid: database.uid, shard, cause: beginning.cause },
    ...{ node: insteadOf, machine, by: CONTROL_PLANE, candidates, chosen: target, mode, result: { state: 'promoted' } },
    startedAt: beginning.at,
    tookMs: after(now),
    timeline: [
      { afterMs: 0, what: beginning.what },
      { afterMs: after(view.at), what: `asked the copies: ${told.join(', ')}` },
      {
        afterMs: after(now),
        what: `${mode.toUpperCase()} to ${shortId(target)}: it is the primary; the endpoints were told`,
      },
    ],
    lostAtMostMs: null,
    waitedMs: null,
  };
}

function beginningOf(
  { nodes, overridden }: Database,
  view: DatabaseView,
  lost: NodeId,
  seenAt: number,
): { at: number; what: string; cause: FailoverCause } {
  const { machine } = nodes.find(({ id }) => id === lost)!;
  const said = overridden[lost];
  if (said) {
    const what = `somebody said that ${[machine, ...said.alsoOff].join(' and ')} is off`;
    return { at: said.at, what, cause: 'asked' };
  }
  const process = view.nodes.get(lost)?.process;
  const what = process?.state === 'exited' ? `the process had ended: ${process.detail}` : `${machine} was not heard of`;
  const cause = process?.state === 'exited' ? 'process_ended' : 'machine_lost';
  return { at: seenAt, what: `${what}; no agent had promoted anybody`, cause };
}
