/** Gathers the facts about this host, from /proc, /sys and the data directory. Judges nothing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostFacts } from './facts.ts';
import { gatherDisk } from './gather-disk.ts';
import { listenersOf } from './gather-listeners.ts';

/** What cannot be read on the host, and where the rest is. */
export interface GatherOptions extends Pick<HostFacts, 'clock' | 'engine' | 'apiPort' | 'nodeVersion'> {
  /** Where the kernel tells of itself: `/proc`, `/sys`. */
  proc: string;
  sys: string;
  dataDir: string;
}

/** Looks at the host. What cannot be read is null or a problem in words, never an exception. */
export async function gatherFacts({ proc, sys, dataDir, ...given }: GatherOptions): Promise<HostFacts> {
  const kernelNumber = (path: string): number | null => numberIn(textOf(join(proc, 'sys', path)));
  const memory = textOf(join(proc, 'meminfo')) ?? '';
  const swapBytes = kilobytesOf(memory, 'SwapTotal');
  const [from, to] = (textOf(join(proc, 'sys/net/ipv4/ip_local_port_range')) ?? '').trim().split(/\s+/).map(Number);
  return {
    ...given,
    listeners: listenersOf(proc, dataDir),
    outgoingPorts: from && to ? { from, to } : null,
    reservedPorts: (textOf(join(proc, 'sys/net/ipv4/ip_local_reserved_ports')) ?? '').trim(),
    overcommit: kernelNumber('vm/overcommit_memory'),
    swappiness: kernelNumber('vm/swappiness'),
    migrateRequests: kernelNumber('net/ipv4/tcp_migrate_req'),
    listenBacklog: kernelNumber('net/core/somaxconn'),
    hugePages: /\[(\w+)\]/.exec(textOf(join(sys, 'kernel/mm/transparent_hugepage/enabled')) ?? '')?.[1] ?? null,
    openFilesLimit: openFilesIn(textOf(join(proc, 'self/limits'))),
    openFilesOfHost: kernelNumber('fs/file-max'),
    disk: await gatherDisk(dataDir, textOf(join(proc, 'self/mounts')) ?? ''),
    memoryBytes: kilobytesOf(memory, 'MemTotal'),
    swapBytes,
    swapUsedBytes: swapBytes - kilobytesOf(memory, 'SwapFree'),
    memoryLimit: memoryLimit(textOf(join(proc, 'self/cgroup')) ?? '', sys),
    kernel: (textOf(join(proc, 'sys/kernel/osrelease')) ?? 'unknown').trim(),
  };
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // not on this kernel, or not for this user
  }
}

/** The number that is all of the text. Those beyond what a double holds exactly mean "no limit" anyway. */
function numberIn(text: string | null): number | null {
  return text !== null && /^\d+\s*$/.test(text) ? Number(text) : null;
}

const kilobytesOf = (meminfo: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;

/** The hard limit: both the engine and Node raise the soft one to it. */
function openFilesIn(limits: string | null): number | null {
  const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(limits ?? '') ?? [];
  if (hard === 'unlimited') return Number.POSITIVE_INFINITY;
  return numberIn(hard ?? null);
}

/** The least limit of our group and those above it, by either version of control groups. */
function memoryLimit(groups: string, sys: string): HostFacts['memoryLimit'] {
  const found = groups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined) return [];
    if (controllers === '') return limitsAbove(join(sys, 'fs/cgroup'), path, 'memory.max');
    const isMemory = controllers.split(',').includes('memory');
    return isMemory ? limitsAbove(join(sys, 'fs/cgroup/memory'), path, 'memory.limit_in_bytes') : [];
  });
  return found.sort((a, b) => a.bytes - b.bytes)[0] ?? null;
}

function limitsAbove(root: string, path: string, file: string): { bytes: number; group: string }[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, above) => {
    const group = `/${parts.slice(0, parts.length - above).join('/')}`;
    const bytes = numberIn(textOf(join(root, group, file)));
    return bytes === null ? [] : [{ bytes, group }];
  }).flat();
}
