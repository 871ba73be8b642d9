/** The end of a process: asked for, and waited for. */
import { setTimeout as pause } from 'node:timers/promises';
import { isRunning, type ProcessIdentity } from '../platform/process-identity.ts';

const POLL_MS = 4;

/** Sends the signal, if this very process still runs. */
export function signal(running: ProcessIdentity, name: NodeJS.Signals): void {
  if (isRunning(running)) process.kill(running.pid, name);
}

/** Waits for the process to end; false when it has not within `timeoutMs`. */
export async function ended(running: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isRunning(running)) {
    if (performance.now() > deadline) return false;
    await pause(POLL_MS);
  }
  return true;
}
