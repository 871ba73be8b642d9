/** One shard as an agent sees it: its own nodes by its own word, the others by what they answer. */
import type { Database, NodeAssignment } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import { asDatabase, type GuardedDatabase } from '../domain/roster.ts';
import { type DatabaseView, type NodeView, UNKNOWN_NODE } from '../domain/view.ts';
import type { ShardPlanner } from '../plan/plan.ts';
import { sourcesOfImports } from '../plan/unfinished-import.ts';
import type { Clock } from '../platform/clock.ts';
import { observeNode } from '../valkey/admin.ts';
import { engineView, unreachable } from '../valkey/engine-view.ts';
import type { Engines } from '../valkey/engines.ts';
import { slotMigrations } from '../valkey/slot-migrations.ts';
import { hasDied, type OwnNode } from './own-node.ts';
import { within } from './within.ts';

/** One that has not answered by then is not waited for any longer: the others are. */
const ANSWER_MS = 500;

/** A shard's part of the record, and what was seen of it. */
export interface ShardSight {
  database: Database;
  view: DatabaseView;
}

/** What looking takes, and deciding on what was seen. */
export interface Seer {
  engines: Engines;
  /** This machine's nodes. */
  nodes: ReadonlyMap<NodeId, OwnNode>;
  /** Monotonic. */
  clock: Clock;
  plan: ShardPlanner;
}

/**
 * Asks every node of the shard at once. What has died here in other shards is known to be dead, too: their primaries
 * count in a vote.
 * @param stopped nodes of machines that are taken over from, of any shard: they write no more, as if they were dead
 */
export async function lookAtShard(
  seer: Seer,
  guarded: GuardedDatabase,
  shard: string,
  stopped: ReadonlySet<NodeId>,
): Promise<ShardSight> {
  const at = seer.clock.now();
  const record = asDatabase(guarded);
  const isGone = ({ id }: NodeAssignment): boolean => stopped.has(id) || hasDied(seer.nodes.get(id));
  const looked = record.nodes.filter((node) => node.shard === shard || isGone(node));
  const seen = looked.map(async (node): Promise<[NodeId, NodeView]> => {
    if (stopped.has(node.id)) return [node.id, stoppedAt(at)];
    const own = seer.nodes.get(node.id)?.report();
    const answer =
      own?.process.state === 'exited' ? { engine: unreachable('no process') } : await ask(seer, guarded, node);
    return [node.id, { process: own?.process ?? { state: 'unknown' }, disk: own?.disk ?? null, ...answer, down: null }];
  });
  const nodes = new Map(await Promise.all(seen));
  const sight = { database: { ...record, nodes: looked }, view: { at, machines: [], nodes } };
  return withOthers(seer, guarded, sight, sourcesOf(nodes, record));
}

/** What the shard's nodes are, and what all others of the database answer: of its slots, some may be theirs. */
export const lookFurther = (seer: Seer, guarded: GuardedDatabase, sight: ShardSight): Promise<ShardSight> =>
  withOthers(seer, guarded, sight, guarded.nodes);

async function withOthers(
  seer: Seer,
  guarded: GuardedDatabase,
  { database, view }: ShardSight,
  others: readonly NodeAssignment[],
): Promise<ShardSight> {
  const unseen = others.filter(({ id }) => !view.nodes.has(id));
  const asked = unseen.map(async (node): Promise<[NodeId, NodeView]> => {
    return [node.id, { ...UNKNOWN_NODE, ...(await ask(seer, guarded, node)) }];
  });
  return { database, view: { ...view, nodes: new Map([...view.nodes, ...(await Promise.all(asked))]) } };
}

/** Of other shards those whose slots are on the way to this one: they know whether they have arrived. */
const sourcesOf = (nodes: ReadonlyMap<NodeId, NodeView>, record: Database): NodeAssignment[] => {
  const sources = [...nodes.values()].flatMap(sourcesOfImports);
  return record.nodes.filter(({ id }) => sources.includes(id) && !nodes.has(id));
};

/** The other nodes of a node's shard, as they were seen. */
export function fellowsOf({ database, view }: ShardSight, id: NodeId): [NodeAssignment, NodeView][] {
  const { shard } = database.nodes.find((node) => node.id === id)!;
  const fellows = database.nodes.filter((node) => node.shard === shard && node.id !== id);
  return fellows.map((node) => [node, view.nodes.get(node.id)!]);
}

const stoppedAt = (at: number): NodeView => ({
  process: { state: 'exited', how: 'died', at, detail: 'its machine is taken over from' },
  disk: null,
  engine: unreachable('its machine is taken over from'),
  down: null,
});

type Answer = Pick<NodeView, 'engine' | 'migrations'>;

async function ask(
  { clock, engines }: Seer,
  { adminPassword, reshard }: GuardedDatabase,
  node: NodeAssignment,
): Promise<Answer> {
  const connection = engines.connection(adminPassword, node);
  // In this order, as the control plane asks.
  const answers = Promise.all([reshard ? slotMigrations(connection) : null, observeNode(connection)]);
  const asked = answers.then(
    ([migrations, seen]) => ({ engine: engineView(seen, 0), ...(migrations ? { migrations } : {}) }),
    (error: unknown) => ({ engine: unreachable(error instanceof Error ? error.message : String(error)) }),
  );
  return within<Answer>(clock, ANSWER_MS, asked, { engine: unreachable(`no answer within ${ANSWER_MS} ms`) });
}
