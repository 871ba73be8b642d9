/** One shard as an agent sees it: its own nodes by its own word, the others by what they answer. */
import type { Database, NodeAssignment } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import { asDatabase, type GuardedDatabase } from '../domain/roster.ts';
import type { DatabaseView, EngineView, NodeView } from '../domain/view.ts';
import type { ShardPlanner } from '../plan/plan.ts';
import type { Clock } from '../platform/clock.ts';
import { observeNode } from '../valkey/admin.ts';
import { engineView, unreachable } from '../valkey/engine-view.ts';
import type { Engines } from '../valkey/engines.ts';
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
    const engine = own?.process.state === 'exited' ? unreachable('no process') : await ask(seer, guarded, node);
    return [node.id, { process: own?.process ?? { state: 'unknown' }, disk: own?.disk ?? null, engine, down: null }];
  });
  const view = { at, machines: [], nodes: new Map(await Promise.all(seen)) };
  return { database: { ...record, nodes: looked }, view };
}

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

async function ask(
  { clock, engines }: Seer,
  { adminPassword }: GuardedDatabase,
  node: NodeAssignment,
): Promise<EngineView> {
  const asked = observeNode(engines.connection(adminPassword, node)).then(
    (seen) => engineView(seen, 0),
    (error: unknown) => unreachable(error instanceof Error ? error.message : String(error)),
  );
  return within(clock, ANSWER_MS, asked, unreachable(`no answer within ${ANSWER_MS} ms`));
}
