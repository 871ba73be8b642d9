/** Starting programs of ours that outlive whoever starts them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/** A small young generation: these processes allocate little, and by default V8 lets it grow by some 15 MB each. */
export const LEAN = ['--max-semi-space-size=1'];
/** One arena of malloc for all threads: 1.6 MB less in each process, and nothing here competes for it. */
const LEAN_MALLOC = { MALLOC_ARENA_MAX: '1' };

interface DetachedOptions {
  /** Working folder; the process is found by it later. */
  cwd: string;
  /** Files that take its standard output and error, emptied first. */
  stdout: string;
  stderr: string;
}

/** Starts a program for Node in a session of its own, so that it outlives us and a Ctrl-C of ours. */
export function spawnDetached(
  program: string,
  args: readonly string[],
  { cwd, stdout, stderr }: DetachedOptions,
): ChildProcess {
  const out = openSync(stdout, 'w', 0o600);
  const err = openSync(stderr, 'w', 0o600);
  try {
    const child = spawn(process.execPath, [...new Set([...process.execArgv, ...LEAN]), program, ...args], {
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
