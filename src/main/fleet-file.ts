/** fleet.json: what was decided when the data directory was made, and what outlives restarts beside the store. */
import { totalmem } from 'node:os';
import { ValkeeperError } from '../domain/errors.ts';
import { readJson, writeFileAtomic } from '../platform/files.ts';
import { pathsIn } from './data-dir.ts';

/** A machine of the local fleet: an agent with a loopback address and a share of the host's memory. */
export interface LocalMachine {
  name: string;
  address: string;
  zone: string;
  memoryBytes: number;
}

/** What outlives restarts, beside the store. */
export interface FleetFile {
  machines: LocalMachine[];
  /** Port of the API; null until it has listened once. */
  apiPort: number | null;
  /** The database `main` was made once; deleting it is final. */
  createdMain: boolean;
}

export const DEFAULT_MACHINES = 3;
export const DEFAULT_ADDRESS_BASE = '127.0.0.11';
/** Part of the host's memory that nodes may use, all local machines together. */
const MEMORY_SHARE = 0.6;

/** What is recorded; null in a new directory. @throws file_unusable, file_damaged */
export async function readFleet(dataDir: string): Promise<FleetFile | null> {
  const path = pathsIn(dataDir).fleet;
  const content = (await readJson(path)) as FleetFile | undefined;
  if (content === undefined) return null;
  if (!Array.isArray(content.machines)) {
    throw new ValkeeperError('file_damaged', { path, problem: 'it names no machines' });
  }
  return content;
}

/** Records a change of the fleet. @throws file_unusable */
export async function changeFleet(dataDir: string, change: Partial<FleetFile>): Promise<FleetFile> {
  const fleet = { machines: [], apiPort: null, createdMain: false, ...(await readFleet(dataDir)), ...change };
  await writeFileAtomic(pathsIn(dataDir).fleet, `${JSON.stringify(fleet, null, 2)}\n`);
  return fleet;
}

/**
 * The local machines of a new fleet: consecutive loopback addresses, equal shares of the host's memory.
 * @throws invalid_value when the addresses do not lie in 127.0.0.0/8
 */
export function planMachines(count: number, addressBase: string): LocalMachine[] {
  const match = /^(127\.\d{1,3}\.\d{1,3})\.(\d{1,3})$/.exec(addressBase);
  const first = Number(match?.[2]);
  if (!match || first < 1 || first + count > 255 || addressBase.split('.').some((part) => Number(part) > 255)) {
    throw new ValkeeperError('invalid_value', {
      field: '--address-base',
      problem: `must leave room for ${count} loopback addresses, is ${addressBase}`,
      remedy: `Choose one such as ${DEFAULT_ADDRESS_BASE}.`,
    });
  }
  const memoryBytes = Math.floor((hostMemoryBytes() * MEMORY_SHARE) / count);
  return Array.from({ length: count }, (_, index) => ({
    name: `machine-${index + 1}`,
    address: `${match[1]}.${first + index}`,
    zone: 'local',
    memoryBytes,
  }));
}

/** Memory of the host, or what a container leaves of it. */
export function hostMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
