/** The engine's settings that follow from a spec and can change while a node runs: what is wanted, and what differs. */
import type { Database } from '../domain/database.ts';
import type { PresentSpec } from '../domain/reshard.ts';
import { memoryBytesPerNode, type Persistence } from '../domain/spec.ts';
import type { NodeView, Settings } from '../domain/view.ts';
import { keptFor } from './kept.ts';

/** A line of valkey.conf: its name, then its arguments, each quoted on its own. */
export type Directive = readonly [name: string, ...args: string[]];

const MIB = 1024 ** 2;

/** What is compared between spec, engine and valkey.conf; everything else in valkey.conf stays as it was at birth. */
export const MANAGED_SETTINGS = [
  'maxmemory',
  'maxmemory-policy',
  'appendonly',
  'appendfsync',
  'save',
  'repl-backlog-size',
  'client-output-buffer-limit',
  'cluster-replica-no-failover',
  'loglevel',
  'cluster-slot-stats-enabled',
  'auto-aof-rewrite-percentage',
  'aof-timestamp-enabled',
] as const;

/** The managed settings as directives. Without an append-only file, `appendfsync` is left to the engine. */
export function settingDirectives(spec: PresentSpec): Directive[] {
  const memoryBytes = memoryBytesPerNode(spec);
  return [
    ['maxmemory', String(memoryBytes)],
    ['maxmemory-policy', spec.eviction],
    ...PERSISTENCE[spec.persistence],
    ['repl-backlog-size', String(backlogBytes(memoryBytes))],
    // Must hold what is written while a copy is made; too small means copying for ever.
    ['client-output-buffer-limit', 'replica', String(Math.max(256 * MIB, memoryBytes)), '0', '0'],
    ['loglevel', spec.logsLess ? 'warning' : 'notice'],
    // Its agent says when, one node of a machine at a time: see forks.ts.
    ['auto-aof-rewrite-percentage', '0'],
    // What each slot costs: see `db hotspots` and `db rebalance`.
    ['cluster-slot-stats-enabled', 'yes'],
    // The engine's own election may choose a replica that lacks an acknowledged write; Valkeeper compares them first.
    ['cluster-replica-no-failover', spec.durability === 'acknowledged' ? 'yes' : 'no'],
  ];
}

/** What a node with so much memory keeps of its stream for replicas that come back. */
export const backlogBytes = (memoryBytes: number): number =>
  Math.max(MIB, Math.min(256 * MIB, Math.floor(memoryBytes / 8)));

const YEAR_SECONDS = 31_536_000;
/** A line with the time in each second in which something is written: a log can be cut at a moment then (backup/log-cut.ts). */
const TIMES: Directive = ['aof-timestamp-enabled', 'yes'];

const PERSISTENCE: Record<Persistence, Directive[]> = {
  none: [
    ['appendonly', 'no'],
    ['save', ''],
  ],
  snapshot: [
    ['appendonly', 'no'],
    // That it keeps snapshots: one is saved as it ends, and writes are refused when one fails. Else its agent says when, see forks.ts.
    ['save', String(YEAR_SECONDS), '1'],
  ],
  aof: [['appendonly', 'yes'], ['appendfsync', 'everysec'], ['save', ''], TIMES],
  'aof-always': [['appendonly', 'yes'], ['appendfsync', 'always'], ['save', ''], TIMES],
};

/** The managed settings by name, as CONFIG GET would show them. */
export const wantedSettings = keptFor(
  (spec: PresentSpec): Settings =>
    Object.freeze(Object.fromEntries(settingDirectives(spec).map(([name, ...args]) => [name, args.join(' ')]))),
);

/** A process that died with these settings in its valkey.conf left all its data on disk, not an older state: see `changeSettings`. */
export const logsEveryWrite = (onDisk: Settings | null): boolean => onDisk?.['appendonly'] === 'yes';

/** A process started by these settings begins with a snapshot. */
export const keepsSnapshots = (onDisk: Settings | null): boolean =>
  onDisk !== null && onDisk['appendonly'] !== 'yes' && (onDisk['save'] ?? '') !== '';

/** The wanted settings that a node lacks: in its process, and in the valkey.conf that its next start reads. */
export interface SettingsDifference {
  live: Settings;
  onDisk: Settings;
}

/** What is not known does not count as different. */
export function settingsDifference(spec: PresentSpec, { engine, disk }: NodeView): SettingsDifference {
  const wanted = wantedSettings(spec);
  return {
    live: engine.state === 'answering' ? lacking(wanted, engine.settings) : {},
    onDisk: disk?.settings ? lacking(wanted, disk.settings) : {},
  };
}

function lacking(wanted: Settings, present: Settings): Settings {
  const lacks: Record<string, string> = {};
  for (const name in wanted) if (present[name] !== wanted[name]) lacks[name] = wanted[name]!;
  return lacks;
}

/** The names of all that differs, in order, each once. */
export const differingNames = ({ live, onDisk }: SettingsDifference): string[] => [
  ...new Set([...Object.keys(live), ...Object.keys(onDisk)]),
];

/** The node's process and its ACL file have the users that are wanted. What is not known does not count as different. */
export const hasUsers = ({ aclMark }: Database, { engine, disk }: NodeView): boolean =>
  (engine.state !== 'answering' || engine.aclMark === aclMark) && (disk === null || disk.aclMark === aclMark);
