/** What the agent of a machine that has joined keeps beside its credentials: so that its next start needs no flags. */
import { hostname } from 'node:os';
import type { AgentCommandOptions } from '../cli/process-options.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { isName } from '../domain/ids.ts';
import { formatSize } from '../domain/size.ts';
import { readJson, writeFileAtomic } from '../platform/files.ts';
import { NEIGHBOUR_PORT } from '../protocol/neighbour-messages.ts';
import { pathsIn } from './data-dir.ts';
import { hostMemoryBytes } from './fleet-file.ts';

/** Part of the machine's memory that nodes may use, unless said otherwise. */
const MEMORY_SHARE = 0.7;
const DEFAULT_PORTS = [7000, 7999] as const;
/** Machines that nobody has said more of may fail together. */
const DEFAULT_ZONE = 'default';

export interface AgentSettings {
  name: string;
  address: string;
  zone: string;
  /** For nodes; 0: it is a witness. */
  memoryBytes: number;
  /** Client ports that nodes may get: the first and the last. */
  ports: readonly [number, number];
  /** Where its agent answers those of other machines; 0: any port. */
  neighbourPort: number;
  /** Where control planes are, such as `https://10.0.0.1:7440`. */
  servers: readonly string[];
  /** The token with which it joined: the same one again is no new wish. */
  tokenId: string;
}

/** Null in a directory from which no machine has joined. @throws file_unusable, file_damaged */
export async function readAgentSettings(dataDir: string): Promise<AgentSettings | null> {
  const path = pathsIn(dataDir).agentSettings;
  const found = (await readJson(path)) as AgentSettings | undefined;
  if (found === undefined) return null;
  if (typeof found.name !== 'string' || !Array.isArray(found.servers)) {
    throw new ValkeeperError('file_damaged', { path, problem: 'it names no machine and no servers' });
  }
  return found;
}

/** @throws file_unusable */
export const writeAgentSettings = (dataDir: string, settings: AgentSettings): Promise<void> =>
  writeFileAtomic(pathsIn(dataDir).agentSettings, `${JSON.stringify(settings, null, 2)}\n`);

/**
 * The settings after what a command says; what it does not say stays, or has its default.
 * @throws invalid_value, invalid_name
 */
export function settingsWith(
  { memory, name, neighbourPort, ports, witness, zone }: AgentCommandOptions,
  present: AgentSettings | null,
): Pick<AgentSettings, 'name' | 'zone' | 'memoryBytes' | 'ports' | 'neighbourPort'> {
  return {
    name: name === undefined ? (present?.name ?? ownName()) : checkedName(name),
    zone: zone ?? present?.zone ?? DEFAULT_ZONE,
    memoryBytes: witness ? noMemory(memory) : checkedMemory(memory ?? present?.memoryBytes),
    ports: ports ?? present?.ports ?? DEFAULT_PORTS,
    neighbourPort: neighbourPort ?? present?.neighbourPort ?? NEIGHBOUR_PORT,
  };
}

/** @throws invalid_name */
function checkedName(name: string): string {
  if (isName(name)) return name;
  throw new ValkeeperError('invalid_name', { field: '--name', value: JSON.stringify(name) });
}

/** The name of the host, without its domain. @throws invalid_value when no machine can be called so */
function ownName(): string {
  const name = hostname().split('.')[0]!.toLowerCase();
  if (isName(name)) return name;
  throw new ValkeeperError('invalid_value', {
    field: '--name',
    problem: `is needed: this host is called ${JSON.stringify(hostname())}, and no machine can be`,
    remedy: 'Choose 1 to 40 lower-case letters, digits and hyphens, starting with a letter.',
  });
}

/** @throws usage */
function noMemory(wanted: number | undefined): 0 {
  if (wanted === undefined) return 0;
  throw new ValkeeperError('usage', {
    problem: '--witness and --memory exclude each other: a witness takes no nodes.',
    remedy: 'Leave out one of them.',
  });
}

/** @throws invalid_value when there is less */
function checkedMemory(wanted: number | undefined): number {
  const there = hostMemoryBytes();
  if (wanted === undefined) return Math.floor(there * MEMORY_SHARE);
  if (wanted <= there) return wanted;
  throw new ValkeeperError('invalid_value', {
    field: '--memory',
    problem: `${formatSize(wanted)} is more than this machine has, or its container leaves it: ${formatSize(there)}`,
    remedy: `Leave some to the system: ${formatSize(there * MEMORY_SHARE)} without --memory.`,
  });
}
