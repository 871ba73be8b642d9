/** The administrator's connection to a node of a fleet on this host: its password is in the node's own settings. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathsIn } from '../../../src/main/data-dir.ts';
import { NodeConnection } from '../../../src/valkey/connection.ts';

const ANSWER_MS = 2_000;
const MOST_QUEUED = 100;

/** A node, as the status tells of it. */
export interface Node {
  nodeId: string;
  host: string;
  port: number;
  machine: string;
  pid: number | null;
}

/** Connects with the first command. @throws Error when the node's folder is not there */
export function adminOf(dataDir: string, { nodeId, host, port, machine }: Node): NodeConnection {
  const conf = readFileSync(join(pathsIn(dataDir).machine(machine), 'nodes', nodeId, 'valkey.conf'), 'utf8');
  const setting = (name: string): string => new RegExp(`^${name} "(.*)"$`, 'm').exec(conf)![1]!;
  return new NodeConnection({
    ...{ host, port, username: setting('primaryuser'), password: setting('primaryauth') },
    ...{ connectTimeoutMs: ANSWER_MS, commandTimeoutMs: ANSWER_MS, maxQueued: MOST_QUEUED },
  });
}
