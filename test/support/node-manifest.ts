/** What a running node's agent has written down of it. Linux. */
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeStatus } from '../../src/domain/status.ts';

/** The file of this name in the node's directory, where it runs. */
export const nodeFile = (pid: number, name: string): string => join(readlinkSync(`/proc/${pid}/cwd`), name);

/** The password of Valkeeper's own user at the node. @throws Error when another node runs under this process id */
export function adminPasswordOf({ nodeId, pid }: NodeStatus): string {
  const { config } = JSON.parse(readFileSync(nodeFile(pid!, 'node.json'), 'utf8')) as {
    config: { id: string; adminPassword: string };
  };
  if (config.id !== nodeId) throw new Error(`process ${pid} is node ${config.id}, not ${nodeId}`);
  return config.adminPassword;
}
