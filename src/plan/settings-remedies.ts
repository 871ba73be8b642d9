/** How settings and users of a database reach its nodes. */
import { specNow } from '../domain/database.ts';
import type { Problem } from './problems.ts';
import { type Action, type Situation, targetOf } from './remedy.ts';
import { settingsDifference } from './settings.ts';
import { isWhole, shardTopology } from './topology.ts';

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
  const { appendonly: _, ...allButLog } = live;
  const now = leavesLog ? allButLog : live;
  if (Object.keys(now).length > 0) {
    return engine?.loading
      ? [{ blocked: `${assignment.id} still reads its data` }]
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
