/** Which process a number means: numbers are given again, a number with its start time is not (until the next boot). Linux. */
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot, from /proc/<pid>/stat. */
  startTime: number;
}

/** When the process started, in clock ticks since boot; null when there is none, or only its unreaped remains. */
export function startTimeOf(pid: number): number | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The second field is the program's name in parentheses and may hold anything; the third is the state.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  // Its first thread may be through while others still hold its sockets and locks.
  const threads = Number(fields[17]);
  return (state === 'Z' || state === 'X') && threads <= 1 ? null : Number(fields[19]);
}

/** The running process of that number; null when there is none. */
export function identify(pid: number): ProcessIdentity | null {
  const startTime = startTimeOf(pid);
  return startTime === null ? null : { pid, startTime };
}

/** Whether this very process runs, and not another that was given its number. */
export const isRunning = ({ pid, startTime }: ProcessIdentity): boolean => startTimeOf(pid) === startTime;
