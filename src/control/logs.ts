/** The logs of the fleet: of the control plane itself, of agents, of nodes. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { LogDocument } from '../protocol/api.ts';
import type { Agents } from './agents.ts';

const AGENT_TIMEOUT_MS = 5_000;
const SHORTEST_ID = 4;

/** The last lines of an agent's log, by its machine, or of a node's, by a unique beginning of its id. @throws log_not_found, agent_away, agent_timeout */
export async function remoteLog(
  agents: Agents,
  databases: readonly Database[],
  source: string,
  lines: number,
): Promise<LogDocument> {
  if (agents.machines().some(({ name }) => name === source)) {
    const { text } = await agents.request(source, 'read_log', { id: null, lines }, AGENT_TIMEOUT_MS);
    return { source, text };
  }
  const nodes = databases.flatMap((database) => database.nodes);
  const found = nodes.filter(({ id }) => source.length >= SHORTEST_ID && id.startsWith(source));
  const [node] = found;
  if (!node || found.length > 1) throw new ValkeeperError('log_not_found', { source });
  const { text } = await agents.request(node.machine, 'read_log', { id: node.id, lines }, AGENT_TIMEOUT_MS);
  return { source: node.id, text };
}
