/** The record of a failover that a person asked for, and that the control plane made. */
import type { Database } from '../domain/database.ts';
import type { FailoverRecord } from '../domain/failover.ts';
import { shortId } from '../domain/ids.ts';
import { answering, type DatabaseView } from '../domain/view.ts';
import type { Step } from '../plan/step.ts';

/** Who acted, where for an agent its machine stands. */
const CONTROL_PLANE = 'the control plane';

/**
 * @param view the look on which it was decided
 * @param id new
 * @param now when the replica was seen to be primary, ms since the epoch
 */
export function askedFailover(
  database: Database,
  view: DatabaseView,
  { target, args: { insteadOf, mode } }: Extract<Step, { kind: 'promote' }>,
  id: string,
  now: number,
): FailoverRecord {
  const { shard, machine } = database.nodes.find((node) => node.id === insteadOf)!;
  const said = database.overridden[insteadOf]!;
  const fellows = database.nodes.filter((node) => node.shard === shard && node.id !== insteadOf);
  const candidates = fellows.map((node) => ({
    node: node.id,
    machine: node.machine,
    offset: answering(view.nodes.get(node.id))?.offset ?? null,
  }));
  const told = candidates.map(({ node, machine: where, offset }) => {
    return `${shortId(node)} on ${where} ${offset === null ? 'does not answer' : `is at ${offset}`}`;
  });
  const after = (at: number): number => Math.max(0, Math.round(at - said.at));
  return {
    ...{ id, database: database.name, databaseUid: database.uid, shard, cause: 'asked', node: insteadOf, machine },
    ...{ by: CONTROL_PLANE, candidates, chosen: target, mode, result: { state: 'promoted' } },
    startedAt: said.at,
    tookMs: after(now),
    timeline: [
      { afterMs: 0, what: `somebody said that ${[machine, ...said.alsoOff].join(' and ')} is off` },
      { afterMs: after(view.at), what: `asked the copies: ${told.join(', ')}` },
      {
        afterMs: after(now),
        what: `${mode.toUpperCase()} to ${shortId(target)}: it is the primary; the endpoints were told`,
      },
    ],
    lostAtMostBytes: null,
    waitedMs: null,
  };
}
