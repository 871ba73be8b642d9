/** How many commands a node has carried out for its clients: all but those that a cluster is run by. */
import type { NodeCommands } from './connection.ts';

/** First words of what Valkeeper, other nodes and the housekeeping of client libraries ask. */
const HOUSEKEEPING = new Set([
  ...['acl', 'auth', 'client', 'cluster', 'command', 'config', 'function', 'hello', 'info', 'latency', 'memory'],
  ...['ping', 'psync', 'quit', 'readonly', 'replconf', 'role', 'select', 'slowlog'],
]);

/** Since its start or CONFIG RESETSTAT. @throws EngineReplyError, EngineUnreachable */
export const clientCallsOf = async (node: NodeCommands): Promise<number> =>
  clientCallsIn(String(await node.command('INFO', 'commandstats')));

/** Of INFO commandstats: lines such as `cmdstat_config|get:calls=12,usec=...`, one for each command and subcommand. */
export function clientCallsIn(info: string): number {
  let sum = 0;
  for (const [, command, calls] of info.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm)) {
    if (!HOUSEKEEPING.has(command!)) sum += Number(calls);
  }
  return sum;
}
