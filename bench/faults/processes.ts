/** Processes of this host, whatever namespace they are in: whether they run, and ending or stopping them for certain. */
import { readFileSync } from 'node:fs';
import { nowMs } from './clock.ts';

const STEP_MS = 0.2;
const PATIENCE_MS = 5_000;
const stepper = new Int32Array(new SharedArrayBuffer(4));

/** The state letter of `/proc/PID/stat`; null when there is no such process. */
function stateOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2)[0]!;
  } catch {
    return null;
  }
}

/** It carries nothing out any more: a zombie has let go of its sockets. */
export const hasEnded = (pid: number): boolean => [null, 'Z', 'X'].includes(stateOf(pid));

/** Sends the signal, and returns when it has worked: when it ended, and when that is known. @throws Error when it does not */
export function signalAndSee(pid: number, signal: 'SIGKILL' | 'SIGSTOP'): { at: number; deadAt: number } {
  const at = nowMs();
  process.kill(pid, signal);
  const worked = (): boolean => (signal === 'SIGKILL' ? hasEnded(pid) : stateOf(pid) === 'T');
  while (!worked()) {
    if (nowMs() - at > PATIENCE_MS) throw new Error(`process ${pid} does not heed ${signal}`);
    Atomics.wait(stepper, 0, 0, STEP_MS); // shorter than a timer of the event loop can be
  }
  return { at, deadAt: nowMs() };
}
