/** What the kernel says a process is doing: of its main thread, in which Valkey's event loop runs. Linux. */
import { readFileSync } from 'node:fs';
import { type ProcessIdentity, startTimeOf } from './process-identity.ts';

/** Clock ticks of /proc in a second: 100 on every Linux that Node runs on. */
const TICK_MS = 10;

export interface ProcessLook {
  /** One letter, as in proc(5): R running or ready to, S sleeping, D waiting for a disk, T and t stopped. */
  state: string;
  /** Processor time it has used, in ms, in steps of 10. */
  cpuMs: number;
  /** How often it went to sleep by itself: with each turn of an event loop that has nothing to do. */
  sleeps: number;
}

/** Null when this process runs no more. */
export function lookAtProcess(which: ProcessIdentity): ProcessLook | null {
  const folder = `/proc/${which.pid}/task/${which.pid}`;
  try {
    const stat = readFileSync(`${folder}/stat`, 'utf8');
    const status = readFileSync(`${folder}/status`, 'utf8');
    if (startTimeOf(which.pid) !== which.startTime) return null;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third on: the state
    const [state = ''] = fields;
    const cpuMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    return { state, cpuMs, sleeps: Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]) };
  } catch {
    return null;
  }
}
