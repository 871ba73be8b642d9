/** Gathers the facts about this host, from /proc, /sys and the data directory. Judges nothing. */
import { join } from 'node:path';
import { kernelText, memoryGroups, memoryLine, numberIn } from '../platform/memory.ts';
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
  const kernelNumber = (path: string): number | null => numberIn(kernelText(join(proc, 'sys', path)));
  const memory = kernelText(join(proc, 'meminfo')) ?? '';
  const bytesOf = (name: string): number => memoryLine(memory, name) ?? 0;
  const swapBytes = bytesOf('SwapTotal');
  const [from, to] = (kernelText(join(proc, 'sys/net/ipv4/ip_local_port_range')) ?? '').trim().split(/\s+/).map(Number);
  return {
    ...given,
    listeners: listenersOf(proc, dataDir),
    outgoingPorts: from && to ? { from, to } : null,
    reservedPorts: (kernelText(join(proc, 'sys/net/ipv4/ip_local_reserved_ports')) ?? '').trim(),
    overcommit: kernelNumber('vm/overcommit_memory'),
    swappiness: kernelNumber('vm/swappiness'),
    migrateRequests: kernelNumber('net/ipv4/tcp_migrate_req'),
    listenBacklog: kernelNumber('net/core/somaxconn'),
    hugePages: /\[(\w+)\]/.exec(kernelText(join(sys, 'kernel/mm/transparent_hugepage/enabled')) ?? '')?.[1] ?? null,
    openFilesLimit: openFilesIn(kernelText(join(proc, 'self/limits'))),
    openFilesOfHost: kernelNumber('fs/file-max'),
    disk: await gatherDisk(dataDir, kernelText(join(proc, 'self/mounts')) ?? ''),
    memoryBytes: bytesOf('MemTotal'),
    swapBytes,
    swapUsedBytes: swapBytes - bytesOf('SwapFree'),
    memoryLimit: memoryLimit(proc, sys),
    kernel: (kernelText(join(proc, 'sys/kernel/osrelease')) ?? 'unknown').trim(),
  };
}

/** The hard limit: both the engine and Node raise the soft one to it. */
function openFilesIn(limits: string | null): number | null {
  const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(limits ?? '') ?? [];
  if (hard === 'unlimited') return Number.POSITIVE_INFINITY;
  return numberIn(hard ?? null);
}

/** The least limit of our group and those above it. */
function memoryLimit(proc: string, sys: string): HostFacts['memoryLimit'] {
  const [least] = memoryGroups(proc, sys).sort((a, b) => a.bytes - b.bytes);
  return least ? { bytes: least.bytes, group: least.group } : null;
}
