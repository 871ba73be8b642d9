/** Which running process is a node's: by number and start time when they are known, else by the directory it works in. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { identify, isRunning, type ProcessIdentity } from '../platform/process-identity.ts';
import type { NodeDirectory } from './node-directory.ts';

/** Tells one boot of the machine from another. */
export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** The process that serves this directory, or null when certainly none does. */
export function findProcess(node: NodeDirectory): ProcessIdentity | null {
  const noted = node.manifest.process;
  if (noted && noted.bootId === bootId() && isRunning(noted) && serves(noted.pid, node.path)) return noted;
  // Started, and the agent ended before it could note it down; or the note is of another time.
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid) && serves(pid, node.path)) return identify(pid);
  }
  return null;
}

/** A valkey-server (not one of its short-lived children, which write snapshots) that works in this directory. */
function serves(pid: number, path: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return (
      readlinkSync(`/proc/${pid}/cwd`) === path && /valkey-server/.test(command) && !/^valkey-(rdb|aof)/.test(command)
    );
  } catch {
    return false; // it ended meanwhile, or is not ours to look at
  }
}
