/** Starting programs of ours that outlive whoever starts them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/** A small young generation: these processes allocate little, and by default V8 lets it grow by some 15 MB each. */
export const LEAN = ['--max-semi-space-size=1'];
/** For the endpoint, where every command passes: with 1 MB it spends a twentieth of its own time on collecting. */
export const BUSY = ['--min-semi-space-size=4', '--max-semi-space-size=16'];
const SIZES = /^--m(in|ax)-semi-space-size=/;
/** One arena of malloc for all threads: 1.6 MB less in each process, and nothing here competes for it. */
const LEAN_MALLOC = { MALLOC_ARENA_MAX: '1' };

interface DetachedOptions {
  /** Working folder; the process is found by it later. */
  cwd: string;
  /** Files that take its standard output and error, emptied first. */
  stdout: string;
  stderr: string;
  /** Flags for its memory. Default: `LEAN`. */
  memory?: readonly string[];
}

/** Our own flags for Node, with these for memory. */
export const flagsWith = (memory: readonly string[]): string[] => [
  ...process.execArgv.filter((flag) => !SIZES.test(flag)),
  ...memory,
];

/** Starts a program for Node in a session of its own, so that it outlives us and a Ctrl-C of ours. */
export function spawnDetached(
  program: string,
  args: readonly string[],
  { cwd, stdout, stderr, memory = LEAN }: DetachedOptions,
): ChildProcess {
  const out = openSync(stdout, 'w', 0o600);
  const err = openSync(stderr, 'w', 0o600);
  try {
    const child = spawn(process.execPath, [...flagsWith(memory), program, ...args], {
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
