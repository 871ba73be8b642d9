/** Proves that a built engine works from its own folder alone: it starts, speaks TLS options, and runs scripts. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ValkeeperError } from '../domain/errors.ts';
import type { Env } from './engine.ts';
import type { OnProgress } from './progress.ts';
import { type RunResult, run } from './run.ts';

const START_DEADLINE_MS = 10_000;
const POLL_MS = 20;
const SOCKET = 'check.sock'; // relative to the working folder: an absolute path may be too long for a socket

/**
 * Starts the server of `dir` on a Unix socket in `scratchDir` (no port is opened) and runs a script through its client.
 * `--tls-port 0` is an unknown option to a build without TLS; scripts need the Lua module, which is separate since 9.1.
 * Raises `engine_build_failed`.
 */
export async function checkEngine(
  dir: string,
  scratchDir: string,
  logFile: string,
  env: Env,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<void> {
  onProgress({ phase: 'check', detail: 'starting it once and running a script' });
  const fail = (problem: string) =>
    new ValkeeperError('engine_build_failed', { step: `check: ${problem}`, log: logFile });
  const stop = new AbortController();
  const server = run(
    join(dir, 'valkey-server'),
    ['--port', '0', '--tls-port', '0', '--unixsocket', SOCKET, '--save', '', '--appendonly', 'no'],
    { cwd: scratchDir, env, signal: AbortSignal.any([signal, stop.signal]) },
  );
  try {
    const ended = await socketOrEnd(join(scratchDir, SOCKET), server, signal);
    if (ended !== null)
      throw fail(`the server does not start (${ended.stderr.trim() || ended.stdout.trim() || ended.ending})`);
    const answer = await run(join(dir, 'valkey-cli'), ['-s', SOCKET, 'EVAL', 'return 1', '0'], {
      cwd: scratchDir,
      env,
      signal,
    });
    if (answer.stdout.trim() !== '1') throw fail(`EVAL answers ${answer.stdout.trim() || answer.stderr.trim()}`);
  } finally {
    stop.abort();
    await server;
  }
}

/** Null when the socket is there; the server's result when it ended (or was stopped at the deadline) before. */
async function socketOrEnd(socket: string, server: Promise<RunResult>, signal: AbortSignal): Promise<RunResult | null> {
  let ended: RunResult | null = null;
  server.then((result) => {
    ended = result;
  });
  for (let waitedMs = 0; !existsSync(socket); waitedMs += POLL_MS) {
    if (ended !== null) return ended;
    signal.throwIfAborted();
    if (waitedMs >= START_DEADLINE_MS) {
      return { code: null, ending: `no socket after ${START_DEADLINE_MS} ms`, stdout: '', stderr: '' };
    }
    await delay(POLL_MS);
  }
  return null;
}
