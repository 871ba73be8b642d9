/** Runs another program to its end, in a process group of its own, so that a stop reaches all its children. */
import { spawn } from 'node:child_process';

/** Only the end of what a program says is kept: that is where the reason of a failure stands. */
const KEPT_OUTPUT_CHARS = 64 * 1024;

interface RunOptions {
  env: Record<string, string | undefined>;
  cwd?: string;
  /** Aborting kills the program and everything it started. */
  signal?: AbortSignal;
  /** Sees both output streams as they come. Throwing kills the program and rejects the run. */
  onOutput?: (text: string) => void;
}

export interface RunResult {
  /** The exit code; null when a signal ended it or it could not be started. */
  code: number | null;
  /** How it ended, for people: `exit code 2`, `killed by SIGKILL`, `spawn make ENOENT`. */
  ending: string;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end. A program that fails, is missing or is aborted is a result, not an exception;
 * the promise settles only when its process group has closed the output pipes.
 */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      detached: true, // a process group of its own: Ctrl-C reaches us first, and we stop the whole group
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const killGroup = () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group has ended by itself.
      }
    };
    let thrown: unknown;
    const kept = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        kept[stream] = (kept[stream] + text).slice(-KEPT_OUTPUT_CHARS);
        if (thrown !== undefined) return;
        try {
          options.onOutput?.(text);
        } catch (error) {
          thrown = error;
          killGroup();
        }
      });
    }

    const settle = (code: number | null, ending: string) => {
      options.signal?.removeEventListener('abort', killGroup);
      if (thrown !== undefined) reject(thrown);
      else resolve({ code, ending, ...kept });
    };
    child.once('error', (error) => settle(null, error.message));
    child.once('close', (code, signal) => settle(code, signal === null ? `exit code ${code}` : `killed by ${signal}`));
    if (options.signal?.aborted) killGroup();
    else options.signal?.addEventListener('abort', killGroup, { once: true });
  });
}
