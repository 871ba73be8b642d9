/** What the kernel tells of memory: of the machine, and of the control groups that hold this process to less. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A control group, by either version of them, with a limit of memory: ours, or one above it. */
export interface MemoryGroup {
  /** Its name, such as `/system.slice/x.service`. */
  group: string;
  bytes: number;
  /** Taken, what the kernel can take back at once not counted. */
  usedBytes: number;
}

interface GroupFiles {
  limit: string;
  used: string;
  /** Pages of files, in `memory.stat`: given back when somebody needs them. */
  cached: readonly string[];
}

const VERSION_2: GroupFiles = {
  limit: 'memory.max',
  used: 'memory.current',
  cached: ['active_file', 'inactive_file'],
};
const VERSION_1: GroupFiles = {
  limit: 'memory.limit_in_bytes',
  used: 'memory.usage_in_bytes',
  cached: ['total_active_file', 'total_inactive_file'],
};

/** The text of a file of the kernel; null: not on this kernel, or not for this user. */
export function kernelText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** The number that is all of the text. Those beyond what a double holds exactly mean "no limit" anyway. */
export const numberIn = (text: string | null): number | null =>
  text !== null && /^\d+\s*$/.test(text) ? Number(text) : null;

/** A line of `/proc/meminfo`, in bytes; null: there is none. */
export function memoryLine(meminfo: string, name: string): number | null {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo) ?? [];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}

/** Our group and those above it that have a limit. @param proc where `/proc` is. @param sys where `/sys` is */
export function memoryGroups(proc: string, sys: string): MemoryGroup[] {
  return (kernelText(join(proc, 'self/cgroup')) ?? '').split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined) return [];
    if (controllers === '') return limitsAbove(join(sys, 'fs/cgroup'), path, VERSION_2);
    return controllers.split(',').includes('memory') ? limitsAbove(join(sys, 'fs/cgroup/memory'), path, VERSION_1) : [];
  });
}

function limitsAbove(root: string, path: string, files: GroupFiles): MemoryGroup[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, above) => {
    const group = `/${parts.slice(0, parts.length - above).join('/')}`;
    const bytes = numberIn(kernelText(join(root, group, files.limit)));
    if (bytes === null) return [];
    const used = numberIn(kernelText(join(root, group, files.used))) ?? 0;
    const stat = kernelText(join(root, group, 'memory.stat')) ?? '';
    const cached = files.cached.reduce((sum, name) => sum + statLine(stat, name), 0);
    return [{ group, bytes, usedBytes: Math.max(0, used - cached) }];
  }).flat();
}

const statLine = (stat: string, name: string): number =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);

/** Bytes that processes of our groups may still take, swap not counted. Where the kernel does not say, it is what Node makes out. */
export function availableMemory(proc = '/proc', sys = '/sys'): number {
  const ofMachine = memoryLine(kernelText(join(proc, 'meminfo')) ?? '', 'MemAvailable');
  if (ofMachine === null) return process.availableMemory();
  const ofGroups = memoryGroups(proc, sys).map(({ bytes, usedBytes }) => Math.max(0, bytes - usedBytes));
  return Math.min(ofMachine, ...ofGroups);
}
