/** Our processes on this machine: how they are started, and which of them run in a data directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from '../platform/process-identity.ts';

/** A small young generation: these processes allocate little, and by default V8 lets it grow by some 15 MB each. */
export const LEAN = ['--max-semi-space-size=1'];
/** One arena of malloc for all threads: 1.6 MB less in each process, and nothing here competes for it. */
const LEAN_MALLOC = { MALLOC_ARENA_MAX: '1' };
const EXIT_POLL_MS = 20;

export interface DetachedOptions {
  /** Working folder; the process is found by it later. */
  cwd: string;
  /** Files that take its standard output and error, emptied first. */
  stdout: string;
  stderr: string;
}

/** Our programs, by their files in this folder. */
type Program = 'valkeeper' | 'agent-process';

/** Starts a program of ours in a session of its own, so that it outlives us and a Ctrl-C of ours. */
export function spawnDetached(
  program: Program,
  args: readonly string[],
  { cwd, stdout, stderr }: DetachedOptions,
): ChildProcess {
  const entry = join(import.meta.dirname, `${program}${extname(import.meta.filename)}`);
  const out = openSync(stdout, 'w', 0o600);
  const err = openSync(stderr, 'w', 0o600);
  try {
    const child = spawn(process.execPath, [...new Set([...process.execArgv, ...LEAN]), entry, ...args], {
      cwd,
      env: { ...process.env, ...LEAN_MALLOC },
      detached: true,
      stdio: ['ignore', out, err],
    });
    child.unref();
    return child;
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

/**
 * Servers, agents and nodes that run in a data directory, whoever started them and whether or not they are recorded:
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
