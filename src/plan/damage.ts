/**
 * Data files that cannot be loaded. A copy that is to follow a living primary does without them; of what may be the last
 * copy nothing is given up: the end of a log is cut off where the engine's tool says, everything else needs a person.
 */
import type { Database, NodeAssignment } from '../domain/database.ts';
import { shortId } from '../domain/ids.ts';
import { formatSize } from '../domain/size.ts';
import type { DamageView, DatabaseView } from '../domain/view.ts';
import type { Problem } from './problems.ts';
import { logsEveryWrite } from './settings.ts';
import type { Step } from './step.ts';
import { type Member, memberOf, type ShardTopology, shardTopology } from './topology.ts';

/** A copy of a damaged owner may be this much older: replicas write their logs all the time, snapshots when it is due. */
const OLDER_LOG_MS = 60_000;
const OLDER_SNAPSHOT_MS = 3_600_000;
/** So long it is told that the end of a log was cut off. */
const TOLD_MS = 24 * 3_600_000;

export const damageOf = ({ view }: Member): DamageView | null =>
  view.process.state === 'exited' ? (view.disk?.damage ?? null) : null;

/** Started on its own disk it would come back with data, of a damaged log with all but its end. */
export const bringsData = (member: Member): boolean =>
  member.view.disk?.hasData === true && damageOf(member)?.cuttable !== false;

/** As it is, without anything being given up. */
export const bringsWholeData = (member: Member): boolean =>
  member.view.disk?.hasData === true && damageOf(member) === null;

/** A copy whose data is about as new as what its damaged owner cannot load: no long time of writes is given up. */
export function isAboutAsNew(copy: Member, owner: Member): boolean {
  const bothLog = [copy, owner].every(({ view }) => logsEveryWrite(view.disk?.settings ?? null));
  const olderMs = (owner.view.disk?.dataAt ?? 0) - (copy.view.disk?.dataAt ?? 0);
  return olderMs <= (bothLog ? OLDER_LOG_MS : OLDER_SNAPSHOT_MS);
}

/** What has to be done before this owner can be started from its own disk: nothing, for now, where a person has to. Null when it can be. */
export function mendOwner(owner: Member): Step[] | null {
  const damage = damageOf(owner);
  if (!damage) return null;
  return damage.cuttable ? [mend('cut_log', owner)] : [];
}

/** The same of a copy that is to follow its primary: what it has stays in its place until that one serves. */
export function mendCopy(copy: Member, { owner }: ShardTopology): Step[] | null {
  if (!damageOf(copy)) return null;
  const isServed = owner?.engine?.role === 'primary' && !owner.engine.loading;
  return isServed ? [mend('set_data_aside', copy)] : [];
}

const mend = (kind: 'cut_log' | 'set_data_aside', { assignment }: Member): Step => ({
  ...{ kind, target: assignment.id, args: {}, expects: { process: 'exited' }, because: 'data_damaged' },
});

/** What is damaged, and what was cut off lately. */
export function damageProblems(database: Database, view: DatabaseView): Problem[] {
  return database.nodes.flatMap((node): Problem[] => {
    const member = memberOf(node, view);
    const [damage, cut] = [damageOf(member), member.view.disk?.cut];
    const isTold = cut && view.at - cut.at < TOLD_MS;
    return [
      ...(damage ? [damaged(node, damage, remedyFor(member, damage, shardTopology(database, view, node.shard)))] : []),
      ...(isTold
        ? [
            problem('data_cut', node, {
              file: cut.file,
              cut: formatSize(cut.cutBytes),
              kept: formatSize(cut.keptBytes),
              aside: cut.aside,
            }),
          ]
        : []),
    ];
  });
}

const damaged = (node: NodeAssignment, { file, problem: what }: DamageView, remedy: string): Problem =>
  problem('data_damaged', node, { file, problem: what, remedy });

const problem = (
  code: 'data_damaged' | 'data_cut',
  { id, shard, machine }: NodeAssignment,
  params: Problem['params'],
): Problem => ({ code, node: id, shard, machine, params: { node: shortId(id), shard, machine, ...params } });

function remedyFor(member: Member, { file, cuttable }: DamageView, { owner }: ShardTopology): string {
  if (owner && owner.assignment.id !== member.assignment.id) {
    return 'As soon as a primary of the shard serves, the file is put aside and the node copies everything from there.';
  }
  if (cuttable) {
    return 'Unless a copy takes over, what can be read is kept, the rest is cut off and kept beside it, and the node starts.';
  }
  return `It may be the last copy: unless one that is as new takes over, nothing is started. Put a whole ${file} in its place, or move it away to begin empty, in the directory of ${member.assignment.id} on ${member.assignment.machine}; it is seen within seconds. Read docs/damaged-files.md first.`;
}
