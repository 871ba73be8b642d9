/** What processes cost: memory as their proportional share (PSS), and processor time. Linux. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Memory of its own, and its share of what it has in common with any other process, in bytes. */
export function pssBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)![1]) * 1024;
}

/**
 * What the PSS of these processes would add up to if nobody else on the machine ran the same program, in bytes: pages of
 * files count once, however many processes outside have them too. The smallest possible: of each part of a file the
 * largest residence in any one of the processes.
 */
export function pssAloneBytes(pids: readonly number[]): number {
  let ownKb = 0;
  const filesKb = new Map<string, number>();
  for (const pid of pids) {
    for (const { file, residentKb, anonymousKb } of mappingsOf(pid)) {
      ownKb += anonymousKb;
      filesKb.set(file, Math.max(filesKb.get(file) ?? 0, residentKb - anonymousKb));
    }
  }
  return (ownKb + [...filesKb.values()].reduce((sum, kb) => sum + kb, 0)) * 1024;
}

interface Mapping {
  /** The part of a file that is mapped: offset, device and inode. */
  file: string;
  residentKb: number;
  anonymousKb: number;
}

function mappingsOf(pid: number): Mapping[] {
  const text = readFileSync(`/proc/${pid}/smaps`, 'utf8');
  return text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).map((mapping) => {
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(mapping)![1]);
    const [, , offset, device, inode] = mapping.split(/\s+/);
    return {
      file: `${offset} ${device} ${inode}`,
      residentKb: field('Rss'),
      anonymousKb: field('Anonymous'),
    };
  });
}

/** Processor time used since its start, its own and the kernel's for it, in milliseconds; counted in hundredths of a second. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [fields[11], fields[12]];
  return ((Number(user) + Number(system)) * 1000) / TICKS_PER_SECOND;
}

/** The process and all that it started, directly or not, as far as they still run. */
export function familyOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // it has ended meanwhile
    }
  }
  const family = parents.has(pid) ? [pid] : [];
  for (const member of family) for (const [child, parent] of parents) if (parent === member) family.push(child);
  return family;
}
