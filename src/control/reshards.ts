/** Changes of the number of shards: what they lead to, whether they can be granted, and what a person may say meanwhile. */
import { type Database, type NodeAssignment, shardNames, specNow } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/event.ts';
import type { NodeId } from '../domain/ids.ts';
import { presentSpec, type Reshard } from '../domain/reshard.ts';
import type { DatabaseSpec } from '../domain/spec.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { ReshardAction } from '../protocol/api.ts';
import type { Databases } from './databases.ts';
import { type Listening, weighAndListen } from './expected-pace.ts';
import type { Grants } from './grants.ts';
import type { JobTimes } from './job-times.ts';
import { shardsAfter, wayTo } from './reshard-way.ts';
import { admitChange, withSpec } from './update.ts';

export interface ReshardSurroundings extends Listening {
  databases: Databases;
  grants: Grants;
  jobTimes: JobTimes;
  record: (event: NewEvent) => void;
  wake: (database: string) => void;
  /** @throws stopping while the fleet stops */
  requireRunning: () => void;
  statusOf: (database: Database) => DatabaseStatus;
}

/** The slots' way to another number of shards, with the nodes that this takes. */
interface PlannedReshard {
  reshard: Reshard;
  nodes: NodeAssignment[];
}

export class Reshards {
  readonly #around: ReshardSurroundings;

  constructor(around: ReshardSurroundings) {
    this.#around = around;
  }

  /**
   * What makes the record what this spec asks for. Nothing is stored.
   * @param idsFor ids for so many further nodes
   * @throws memory_in_use, no_room_to_grow, reshard_running, reshard_refused, data_does_not_fit, no_room_for_copies
   */
  async change(
    present: Database,
    spec: DatabaseSpec,
    view: DatabaseView,
    idsFor: (count: number) => NodeId[],
  ): Promise<(record: Database) => Database> {
    const way = await this.#planned(present, spec, view, idsFor);
    admitChange(present, spec, way?.reshard ?? present.reshard, view);
    this.#admitCopies(present, spec, view);
    return (record) => {
      const changed = withSpec(record, spec);
      if (way === null) return changed;
      // Slots may have begun to move since: a rebalance waits in no line with changes of specs.
      refuseWhileMoving(record);
      return { ...changed, nodes: [...record.nodes, ...way.nodes], reshard: way.reshard };
    };
  }

  /** More replicas have to find a place now; they are made one after the other. @throws no_room_for_copies */
  #admitCopies(present: Database, spec: DatabaseSpec, view: DatabaseView): void {
    const more = spec.replicas - present.spec.replicas;
    if (more <= 0) return;
    const wishes = Array.from({ length: more }, () => shardNames(present)).flat();
    this.#around.grants.placesFor(present, wishes, presentSpec(spec, present.reshard), view);
  }

  /**
   * What another number of shards leads to; null when it is the same. Nothing is stored.
   * @throws reshard_running, reshard_refused, data_does_not_fit, no_room_for_copies
   */
  async #planned(
    present: Database,
    spec: DatabaseSpec,
    view: DatabaseView,
    idsFor: (count: number) => NodeId[],
  ): Promise<PlannedReshard | null> {
    if (spec.shards === present.spec.shards) return null;
    const { clock, grants, jobTimes } = this.#around;
    refuseWhileMoving(present);
    const { weights, pace } = await weighAndListen(this.#around, present, view, spec.pace);
    const names = shardsAfter(weights, spec.shards);
    const reshard = wayTo(present, spec, weights, {
      names,
      loads: weights.bytes,
      now: clock.now(),
      pace,
      jobSeconds: jobTimes.secondsOf(pace),
    });
    const further = names.filter((shard) => !weights.owners.has(shard));
    const wanted = { ...present, spec, reshard };
    return { reshard, nodes: await grants.furtherNodes(wanted, further, specNow(wanted), view, idsFor) };
  }

  /** @throws database_not_found, being_deleted, no_reshard, reshard_refused */
  async act(name: string, { action }: ReshardAction): Promise<DatabaseStatus> {
    const { clock, databases, record, requireRunning, statusOf, wake } = this.#around;
    requireRunning();
    const changed = await databases.change(name, (present) => {
      if (present.deleting) throw new ValkeeperError('being_deleted', { name });
      const { reshard } = present;
      if (reshard === null) throw new ValkeeperError('no_reshard', { name });
      switch (action) {
        case 'pause':
          return { ...present, reshard: { ...reshard, paused: true } };
        case 'resume':
          return { ...present, reshard: { ...reshard, paused: false, retriesFrom: clock.now() } };
        case 'cancel':
          return cancelled(present, reshard, clock.now());
      }
    });
    const message = MESSAGES[action](name);
    record({ kind: `reshard_${action}`, severity: 'info', database: name, message });
    wake(name);
    return statusOf(changed);
  }
}

const MESSAGES: Record<ReshardAction['action'], (name: string) => string> = {
  pause: (name) => `The reshard of ${name} is paused: the job that runs is the last for now.`,
  resume: (name) => `The reshard of ${name} goes on.`,
  cancel: (name) => `The reshard of ${name} is given up: its slots go back to where they were.`,
};

/** The record that leads back: the former spec, and the former owners as the goal. */
function cancelled(present: Database, reshard: Reshard, now: number): Database {
  const { name, spec } = present;
  if (reshard.cancels) throw new ValkeeperError('reshard_refused', { name, reason: 'it is being cancelled already' });
  const gone = Object.keys(reshard.before.goal).filter((shard) => !shardNames(present).includes(shard));
  if (gone.length > 0) {
    const reason = `it is all but over: ${gone.join(', ')} ${gone.length === 1 ? 'is' : 'are'} taken out already`;
    throw new ValkeeperError('reshard_refused', { name, reason });
  }
  const added = Object.keys(reshard.goal).filter((shard) => !(shard in reshard.before.goal));
  return {
    ...withSpec(present, { ...spec, shards: reshard.before.shards }),
    reshard: {
      ...reshard,
      goal: { ...reshard.before.goal, ...Object.fromEntries(added.map((shard) => [shard, []])) },
      before: { shards: spec.shards, goal: reshard.goal },
      paused: false,
      cancels: true,
      startedAt: now,
      retriesFrom: now,
    },
  };
}

/** @throws being_deleted, reshard_running, reshard_refused */
export function refuseWhileMoving({ name, deleting, reshard, spec, observedGeneration }: Database): void {
  if (deleting) throw new ValkeeperError('being_deleted', { name });
  if (reshard) throw new ValkeeperError('reshard_running', { name, shards: spec.shards });
  if (observedGeneration > 0) return;
  throw new ValkeeperError('reshard_refused', { name, reason: 'it is still being created' });
}
