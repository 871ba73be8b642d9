/** Starting the server in the background, with its failure as our error. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorDocument, fromErrorDocument, ValkeeperError } from '../domain/errors.ts';
import { spawnDetached } from '../platform/spawn-detached.ts';
import { pathsIn, runningServer } from './data-dir.ts';
import { programFile } from './processes.ts';

const POLL_MS = 10;
/** Listening takes a fraction of a second; a machine that needs longer than this has another problem. */
const START_MS = 30_000;
/** Of what a process that failed without an error of ours wrote last. */
const LAST_LINES = 5;

/**
 * Starts the server; resolves when its API listens. The process outlives us.
 * @throws what the server threw, start_failed when it ended otherwise, not_in_time
 */
export async function startServer(dataDir: string, apiPort: number | undefined): Promise<ChildProcess> {
  const { control, serverOut, serverErr } = pathsIn(dataDir);
  const port = apiPort === undefined ? [] : ['--api-port', `${apiPort}`];
  const child = spawnDetached(programFile('valkeeper'), ['server', '--json', '--data-dir', dataDir, ...port], {
    cwd: control,
    stdout: serverOut,
    stderr: serverErr,
  });
  await once(child, 'spawn');
  const deadline = performance.now() + START_MS;
  while (runningServer(dataDir)?.pid !== child.pid) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw failureOf('server', serverOut, serverErr, child.signalCode ?? `exit code ${child.exitCode}`);
    }
    if (performance.now() >= deadline) {
      child.kill();
      const missing = 'its API does not listen yet';
      throw new ValkeeperError('not_in_time', {
        ...{ what: 'The server did not start', seconds: START_MS / 1000, missing, command: 'valkeeper up' },
      });
    }
    await sleep(POLL_MS);
  }
  return child;
}

/** Why a process of ours ended: the error it printed, or else the last it wrote. */
function failureOf(name: string, stdout: string, stderr: string, how: string): ValkeeperError {
  const printed = printedError(stdout);
  if (printed) return printed;
  const detail = read(stderr).trimEnd().split('\n').slice(-LAST_LINES).join('\n') || 'it wrote nothing';
  return new ValkeeperError('start_failed', { process: name, how, detail, log: stderr });
}

/** The error that a process of ours printed on its standard output before it ended; null when it did not. */
export function printedError(stdout: string): ValkeeperError | null {
  try {
    return fromErrorDocument((JSON.parse(read(stdout)) as { error: ErrorDocument }).error);
  } catch {
    return null;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
