/** What is published: the database as the view shows it, with the problems that hold as its conditions. */
import { type Database, shardNames, specNow } from '../domain/database.ts';
import { countSlots, SLOT_COUNT } from '../domain/slots.ts';
import type {
  Condition,
  DatabaseState,
  DatabaseStatus,
  NodeStatus,
  ReplicaStatus,
  ShardStatus,
} from '../domain/status.ts';
import type { DatabaseView } from '../domain/view.ts';
import { archiveStatus } from './archive.ts';
import { endpointsOf } from './endpoints.ts';
import { adviceFor, describeProblem, PROBLEMS, type Problem } from './problems.ts';
import { reshardStatus } from './reshard-status.ts';
import { restoreStatus } from './restore.ts';
import { differingNames, hasUsers, settingsDifference } from './settings.ts';
import { isInSync, lagBytes, type Member, type ShardTopology, shardTopology } from './topology.ts';

/** Since when each problem has held, by `problemKey`; milliseconds since the epoch. */
type Since = ReadonlyMap<string, number>;

/** Why the latest attempts to mend problems did not succeed, by `attemptKey`. */
export type Attempts = ReadonlyMap<string, string>;

/** What makes two attempts to mend the same: the problem's code and the node, or the database, it is about. */
export const attemptKey = (code: string, target: string): string => `${code} ${target}`;

/** What makes two problems of different passes the same. */
export const problemKey = ({ code, shard, node, machine }: Problem): string =>
  [code, shard, node, machine].map((part) => part ?? '').join('/');

/**
 * The status to publish. `problems` are those that are told by now.
 * @param paced what writers to slots on their way are held to, in bytes a second; null: to nothing
 */
export function statusOf(
  database: Database,
  view: DatabaseView,
  problems: readonly Problem[],
  since: Since,
  attempts: Attempts,
  paced: number | null = null,
): DatabaseStatus {
  const shards = shardNames(database).map((name) => shardTopology(database, view, name));
  return {
    name: database.name,
    state: stateOf(database, shards),
    spec: database.spec,
    generation: database.generation,
    observedGeneration: database.observedGeneration,
    conditions: problems.map((problem) => toCondition(problem, since, attempts, view.at)),
    ...endpointsOf(database, view),
    reshard: reshardStatus(database, shards, view, problems, paced),
    restore: restoreStatus(database),
    archive: archiveStatus(view.archive),
    clusterEndpoints: shards
      .flatMap(({ members }) => members)
      .filter(({ engine }) => engine)
      .map(({ assignment: { host, port } }) => ({ host, port })),
    shards: shards.map(toShardStatus),
  };
}

/**
 * Every slot is served, every shard has as many copies in sync as were asked for, and every node that answers agrees and
 * has its settings and users. Copies that are being made beside these, or are to go, change nothing.
 */
function isReady(database: Database, shards: readonly ShardTopology[]): boolean {
  const { spec, generation, observedGeneration } = database;
  const present = shards.flatMap((shard) => shard.members).filter(({ engine }) => engine);
  return (
    database.reshard === null &&
    shards.length === spec.shards &&
    shards.every((shard) => copiesInSync(shard) >= spec.replicas + 1) &&
    countSlots(shards.flatMap(({ slots }) => slots)) === SLOT_COUNT &&
    present.every(({ engine }) => engine!.clusterOk && engine!.slotsOk === SLOT_COUNT) &&
    present.every(({ view }) => differingNames(settingsDifference(specNow(database), view)).length === 0) &&
    present.every(({ view }) => hasUsers(database, view)) &&
    // Reached once, silence about a valkey.conf is no change of it.
    (observedGeneration === generation || present.every(({ view }) => view.disk?.settings != null))
  );
}

/** The primary among them; none where it does not serve. */
const copiesInSync = ({ owner, members }: ShardTopology): number =>
  owner?.engine?.role === 'primary'
    ? members.filter((member) => member === owner || isInSync(member, owner)).length
    : 0;

function stateOf(database: Database, shards: readonly ShardTopology[]): DatabaseState {
  if (database.deleting) return 'deleting';
  if (isReady(database, shards)) return 'ready';
  if (database.observedGeneration === 0) return 'creating';
  return database.observedGeneration < database.generation ? 'updating' : 'degraded';
}

function toCondition(problem: Problem, since: Since, attempts: Attempts, at: number): Condition {
  const { code, shard, node, machine } = problem;
  const lastTry = attempts.get(attemptKey(code, node ?? ''));
  return {
    code,
    severity: PROBLEMS[code].severity,
    message: describeProblem(problem),
    advice: adviceFor(problem),
    ...(lastTry === undefined ? {} : { lastTry }),
    ...(shard === undefined ? {} : { shard }),
    ...(node === undefined ? {} : { node }),
    ...(machine === undefined ? {} : { machine }),
    since: new Date(since.get(problemKey(problem)) ?? at).toISOString(),
  };
}

function toShardStatus(shard: ShardTopology): ShardStatus {
  const primary = shard.owner?.engine?.role === 'primary' ? shard.owner : null;
  return {
    id: shard.name,
    slots: [...shard.slots],
    primary: primary ? toNodeStatus(primary) : null,
    replicas: shard.members.filter((member) => member !== primary).map((member) => toReplicaStatus(member, primary)),
  };
}

function toNodeStatus({ assignment, view, engine, dead }: Member): NodeStatus {
  const { id, host, port, machine } = assignment;
  const pid = view.process.state === 'running' ? view.process.pid : null;
  return { nodeId: id, host, port, pid, machine, state: engine ? 'running' : dead ? 'down' : 'unknown' };
}

const toReplicaStatus = (member: Member, primary: Member | null): ReplicaStatus => ({
  ...toNodeStatus(member),
  lagBytes: lagBytes(member, primary),
  inSync: isInSync(member, primary),
});
