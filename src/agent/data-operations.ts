/** What a control plane may ask of the data of the machine's nodes: that with which they begin, their logs, and what a child takes. */
import type { NodeId } from '../domain/ids.ts';
import type { ForkRoom } from '../plan/forks.ts';
import type { AgentRequests } from '../protocol/agent-messages.ts';
import type { KeptLogs } from './kept-logs.ts';
import type { Seeds } from './seeds.ts';

type DataOperation =
  | 'seed_node'
  | 'replay_seed'
  | 'list_append_log'
  | 'read_append_log'
  | 'drop_append_log'
  | 'fork_room';

type DataOperations = {
  [O in DataOperation]: (args: AgentRequests[O]['args']) => Promise<AgentRequests[O]['result']>;
};

/** What comes before a node's birth, and what is asked of its log. */
export const dataOperations = (
  seeds: Seeds,
  logs: KeptLogs,
  forkRoom: (id: NodeId) => ForkRoom | null,
): DataOperations => ({
  seed_node: (piece) => seeds.add(piece),
  replay_seed: ({ id }) => seeds.replay(id),
  list_append_log: (wish) => logs.list(wish),
  read_append_log: (wish) => logs.read(wish),
  drop_append_log: async ({ id }) => logs.drop(id),
  fork_room: async ({ id }) => forkRoom(id),
});
