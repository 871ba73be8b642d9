/** Our processes on this machine: where their programs are, and which of them run in a data directory. */
import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from '../platform/process-identity.ts';

const EXIT_POLL_MS = 20;

/** Our programs, by their files in this folder. */
type Program = 'valkeeper' | 'agent-process' | 'endpoint-process';

/** The file of a program: TypeScript in a checkout, JavaScript where it was built. */
export const programFile = (program: Program): string =>
  join(import.meta.dirname, `${program}${extname(import.meta.filename)}`);

/**
 * Servers, agents, endpoints and nodes that run in a data directory, whoever started them and whether or not they are recorded:
 * each has a working folder inside it.
 */
export function processesIn(dataDir: string): ProcessIdentity[] {
  let root: string;
  try {
    root = `${realpathSync(dataDir)}/`;
  } catch {
    return [];
  }
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && isOurs(entry, root))
    .map((entry) => identify(Number(entry)))
    .filter((identity) => identity !== null && identity.pid !== process.pid) as ProcessIdentity[];
}

function isOurs(pid: string, root: string): boolean {
  try {
    if (!readlinkSync(`/proc/${pid}/cwd`).startsWith(root)) return false;
    const program = basename(readlinkSync(`/proc/${pid}/exe`));
    return program.startsWith('valkey-server') || program.startsWith('node');
  } catch {
    return false; // it has ended, or belongs to another user
  }
}

/** Waits until none of them runs. @returns those that still run at the deadline */
export async function waitForExit(
  processes: readonly ProcessIdentity[],
  timeoutMs: number,
): Promise<ProcessIdentity[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const left = processes.filter(isRunning);
    if (left.length === 0 || performance.now() >= deadline) return left;
    await sleep(EXIT_POLL_MS);
  }
}
