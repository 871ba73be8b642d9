/** The endpoint process of a machine: started, found again after a restart of the agent, and ended for certain. */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { identify, isRunning, type ProcessIdentity } from '../platform/process-identity.ts';
import { BUSY, spawnDetached } from '../platform/spawn-detached.ts';
import { tail } from './node-directory.ts';
import { ended, signal } from './process-end.ts';

/** Written by the endpoint process once it serves; its successor overwrites it. */
const PROCESS_FILE = 'endpoint-process.json';
const ERROR_FILE = 'endpoint.err';
/** From SIGKILL to the end. */
const KILL_DEADLINE_MS = 10_000;

/** Starts the program in the machine's folder, in a session of its own. */
export const spawnEndpoint = (program: string, dir: string): ChildProcess =>
  spawnDetached(program, ['--dir', dir], {
    cwd: dir,
    stdout: join(dir, 'endpoint.out'),
    stderr: join(dir, ERROR_FILE),
    memory: BUSY,
  });

/** The process that says it serves here, if it runs. */
export function servingEndpoint(dir: string): ProcessIdentity | null {
  try {
    const noted = JSON.parse(readFileSync(join(dir, PROCESS_FILE), 'utf8')) as ProcessIdentity;
    return isRunning(noted) && worksIn(noted.pid, dir) ? { pid: noted.pid, startTime: noted.startTime } : null;
  } catch {
    return null; // none has served here yet
  }
}

/** Last line that an endpoint wrote to its standard error. */
export const lastWords = async (dir: string): Promise<string> =>
  (await tail(join(dir, ERROR_FILE), 40))
    .split('\n')
    .find((line) => /\bError\b|error/.test(line))
    ?.trim() ?? '';

/** Every process of the program that works in the folder: those on their way out and their workers, too. */
export function endpointsIn(dir: string, program: string): ProcessIdentity[] {
  const [family = ''] = basename(program).split('-');
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && worksIn(pid, dir) && isOf(pid, family))
    .map(identify)
    .filter((found) => found !== null);
}

/** SIGTERM, so that they drain; SIGKILL after `graceMs`. */
export async function endEndpoints(processes: readonly ProcessIdentity[], graceMs: number): Promise<void> {
  for (const one of processes) signal(one, 'SIGTERM');
  await Promise.all(
    processes.map(async (one) => {
      if (await ended(one, graceMs)) return;
      signal(one, 'SIGKILL');
      await ended(one, KILL_DEADLINE_MS);
    }),
  );
}

function worksIn(pid: number, dir: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === dir;
  } catch {
    return false; // it ended meanwhile, or is not ours to look at
  }
}

/** A worker may be a program of its own: `endpoint-worker` beside `endpoint-process`. */
function isOf(pid: number, family: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      .split('\0')
      .map((word) => basename(word));
    return words.some((word) => word.startsWith(`${family}-`) && /^[\w-]+\.[jt]s$/.test(word));
  } catch {
    return false;
  }
}
