/** Finds whose log is meant, and reads its end. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { LogDocument } from '../protocol/api.ts';
import type { Agents } from './agents.ts';

const TIMEOUT_MS = 5_000;
/** Of a node's id, letters that are enough to name it. */
const SHORTEST_ID = 4;

/**
 * Last lines of a machine's agent, or of a node that is named by its id or a unique beginning of it.
 * @throws log_not_found, agent_away, agent_timeout
 */
export async function readLog(
  agents: Agents,
  databases: readonly Database[],
  source: string,
  lines: number,
): Promise<LogDocument> {
  if (agents.machines().some(({ name }) => name === source)) {
    const { text } = await agents.request(source, 'read_log', { id: null, lines }, TIMEOUT_MS);
    return { source, text };
  }
  const nodes = databases.flatMap((database) => database.nodes);
  const found = nodes.filter(({ id }) => source.length >= SHORTEST_ID && id.startsWith(source));
  const [node] = found;
  if (!node || found.length > 1) throw new ValkeeperError('log_not_found', { source });
  const { text } = await agents.request(node.machine, 'read_log', { id: node.id, lines }, TIMEOUT_MS);
  return { source: node.id, text };
}
