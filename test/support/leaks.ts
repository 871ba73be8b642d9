/** What a test with real processes must not leave behind. Linux. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface FoundProcess {
  pid: number;
  command: string;
}

/** The processes that work in this folder or below it. */
export function processesUnder(dir: string): FoundProcess[] {
  const found: FoundProcess[] = [];
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const folder = readlinkSync(`/proc/${name}/cwd`).replace(/ \(deleted\)$/, '');
      if (folder !== dir && !folder.startsWith(`${dir}/`)) continue;
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (Number(name) !== process.pid) found.push({ pid: Number(name), command });
    } catch {
      // it has ended meanwhile, or belongs to another user
    }
  }
  return found;
}

/** The TCP ports on which somebody listens at this IPv4 address. */
function portsListenedOn(address: string): number[] {
  const hex = address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase())
    .reverse() // /proc/net/tcp shows addresses in the machine's byte order, little-endian wherever we run
    .join('');
  const LISTEN = '0A';
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === LISTEN && local?.startsWith(`${hex}:`))
    .map(([, local]) => Number.parseInt(local!.slice(9), 16));
}

/** A process that ends lets go of its folder a moment before its sockets. */
const ENDING_MS = 1_000;
const STEP_MS = 10;

/** Fails when a process works in the folder, somebody listens at the address, or the folder is still there. */
export async function assertNothingLeft(dir: string, address: string): Promise<void> {
  const deadline = performance.now() + ENDING_MS;
  while (portsListenedOn(address).length > 0 && performance.now() < deadline) await pause(STEP_MS);
  assert.deepEqual(
    { processes: processesUnder(dir), ports: portsListenedOn(address), folder: existsSync(dir) },
    { processes: [], ports: [], folder: false },
    'the test left something behind',
  );
}
