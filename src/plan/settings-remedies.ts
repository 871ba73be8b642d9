/** How settings and users of a database reach its nodes. */
import { type NodeAssignment, specNow } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import type { Problem } from './problems.ts';
import { type Action, type Situation, targetOf } from './remedy.ts';
import { settingsDifference } from './settings.ts';
import { isWhole, memberOf, shardTopology } from './topology.ts';

/** With these a node leaves it to its agent when it saves; one that does not answer may be of a version that does not. */
const BY_AGENT: readonly string[] = ['save', 'auto-aof-rewrite-percentage'];

/**
 * First the process, then its valkey.conf, and that only when a start by it would find the data: a whole log, a fresh
 * snapshot. A log is left the other way round: who died with a log in its valkey.conf is believed to have everything
 * in it, so the process writes it until no start reads it any more.
 */
export function changeSettings(situation: Situation, problem: Problem): Action[] {
  const { spec } = situation.database;
  const { assignment, engine, view } = targetOf(situation, problem);
  const { live, onDisk } = settingsDifference(specNow(situation.database), view);
  const about = { target: assignment.id, because: problem.code } as const;
  const leavesLog = live['appendonly'] === 'no' && view.disk?.settings?.['appendonly'] !== 'no';
  const later = new Set([...(leavesLog ? ['appendonly'] : []), ...(view.process.state === 'running' ? [] : BY_AGENT)]);
  const now = Object.fromEntries(Object.entries(live).filter(([name]) => !later.has(name)));
  if (Object.keys(now).length > 0) {
    if (engine?.loading) return [{ blocked: `${assignment.id} still reads its data` }];
    const other = now['appendonly'] === 'yes' ? saverBeside(situation, assignment) : null;
    return other
      ? [{ blocked: `${other} saves on ${assignment.machine}: one node there at a time` }]
      : [{ kind: 'configure', args: { settings: now }, expects: {}, ...about }];
  }
  if (view.process.state !== 'running') {
    return [
      { blocked: `the agent of ${assignment.machine} must answer before the valkey.conf of ${assignment.id} changes` },
    ];
  }
  const shard = shardTopology(situation.database, situation.view, assignment.shard);
  if (onDisk['appendonly'] === 'no' && shard.owner?.assignment === assignment && !isWhole(shard))
    return [{ blocked: `the log of ${assignment.id} stays while a copy is away` }];
  const entersLog = onDisk['appendonly'] === 'yes';
  if (entersLog && !engine?.logComplete) {
    return [{ blocked: `the append-only file of ${assignment.id} is not complete yet` }];
  }
  if (spec.persistence === 'snapshot' && engine?.saving) {
    return [{ blocked: `the snapshot of ${assignment.id} is not complete yet` }];
  }
  const expects = { process: 'running', ...(entersLog ? { logComplete: true } : {}) } as const;
  return [{ kind: 'write_config', args: { settings: onDisk }, expects, ...about }];
}

/** Another node of the database that saves or writes its log anew on the same machine: a log that is switched on is written as a whole at once. */
function saverBeside({ database, view }: Situation, { id, machine }: NodeAssignment): NodeId | null {
  const saver = database.nodes.find((node) => {
    if (node.machine !== machine || node.id === id) return false;
    const { engine } = memberOf(node, view);
    if (!engine) return false;
    const writesLog = engine.settings['appendonly'] === 'yes' && !engine.logComplete;
    return engine.saving || (writesLog && !engine.failingWrites.includes('rewrite'));
  });
  return saver?.id ?? null;
}

/** A file that cannot be written is no reason to change the process: after its next start it would have the old users. */
export function writeUsers(situation: Situation, problem: Problem): Action[] {
  const { assignment, view } = targetOf(situation, problem);
  if (view.process.state !== 'running') {
    return [{ blocked: `the agent of ${assignment.machine} must answer before the users of ${assignment.id} change` }];
  }
  return [
    { kind: 'write_users', target: assignment.id, args: {}, expects: { process: 'running' }, because: problem.code },
  ];
}
