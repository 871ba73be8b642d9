/** The nodes of a database's record: one more, one less, one that nothing is left of. */
import { type Database, type NodeAssignment, speaksTls } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Step } from './step.ts';
import { withWish } from './switchover.ts';

/** One more node; it is born as an empty replica. */
export const withNode = (database: Database, node: NodeAssignment): Database => ({
  ...database,
  nodes: [...database.nodes, node],
});

/** The node is replaced: what is left of it is to be removed. */
export function withoutNode(database: Database, id: NodeId): Database {
  const gone = database.nodes.filter((node) => node.id === id);
  if (gone.length === 0) return database;
  return {
    ...database,
    nodes: database.nodes.filter((node) => node.id !== id),
    retired: [...database.retired, ...gone],
  };
}

/** All nodes of a shard are out. */
export const withoutShard = (database: Database, shard: string): Database => {
  const gone = database.nodes.filter((node) => node.shard === shard);
  return gone.reduce((record, { id }) => withoutNode(record, id), database);
};

/** Nothing is left of a node that was replaced. */
export const withoutRetired = (database: Database, id: NodeId): Database => ({
  ...database,
  retired: database.retired.filter((node) => node.id !== id),
});

/** The record after the step, when all goes well: a node to be made has a name that no node has. For forecasts. */
export function recordAfter(database: Database, { at, machines }: DatabaseView, step: Step): Database {
  switch (step.kind) {
    case 'add_copy': {
      const { machine } = step.args;
      const count = database.nodes.length + database.retired.length;
      const id = `${'0'.repeat(32)}${count.toString(16).padStart(8, '0')}`;
      const host = machines.find(({ name }) => name === machine)?.address ?? '';
      const port = Math.max(...database.nodes.map((node) => node.port)) + 1;
      const tls = speaksTls(database);
      return withNode(database, { id, shard: step.target, machine, host, port, tls, birth: { role: 'replica' } });
    }
    case 'want_primary': {
      const { shard } = database.nodes.find(({ id }) => id === step.target)!;
      return withWish(database, { shard, from: step.args.insteadOf, to: step.target }, at);
    }
    case 'retire_copy':
      return withoutNode(database, step.target);
    case 'retire_shard':
      return withoutShard(database, step.target);
    case 'clear_retired':
      return withoutRetired(database, step.target);
    default:
      return database;
  }
}
