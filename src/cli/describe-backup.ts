/** Backups in words. */
import type { BackupStatus } from '../domain/backup.ts';
import { formatSize } from '../domain/size.ts';
import { formatSlotsBriefly } from '../domain/slots.ts';
import { counted } from '../domain/template.ts';
import type { BackupScheduleDocument } from '../protocol/backup-api.ts';
import { table } from './table.ts';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const bytesOf = ({ parts }: BackupStatus): { raw: string; stored: string } => ({
  raw: formatSize(sum(parts.map(({ rawBytes }) => rawBytes))),
  stored: formatSize(sum(parts.map(({ storedBytes }) => storedBytes))),
});

/** A line each. */
export function describeBackups(backups: readonly BackupStatus[]): string {
  if (backups.length === 0) return 'There are no backups. `valkeeper backup create NAME` makes one.';
  const rows = backups.map((backup) => {
    const { id, state, startedAt, shards, trigger, encrypted, place } = backup;
    const what = state === 'done' && encrypted ? 'done, encrypted' : state;
    return [id, what, startedAt, String(shards), bytesOf(backup).stored, trigger, place];
  });
  return table(['ID', 'STATE', 'STARTED', 'SHARDS', 'STORED', 'BY', 'PLACE'], rows);
}

/** One with its parts. */
export function describeBackup(backup: BackupStatus): string {
  const { id, database, place, state, startedAt, endedAt, parts, shards, skewMs, encrypted, engineVersion } = backup;
  const { raw, stored } = bytesOf(backup);
  const rows = parts.map((part) => [
    part.shard,
    formatSlotsBriefly(part.slots),
    `${part.role} ${part.node.slice(0, 8)} on ${part.machine}`,
    String(part.keys),
    formatSize(part.rawBytes),
    formatSize(part.storedBytes),
    part.forkedAt,
    `${part.seconds} s`,
  ]);
  const done = `${parts.length} of ${counted(shards, 'shard')}`;
  return [
    `${id}: ${state}${backup.problem ? `: ${backup.problem}` : ''}`,
    `of ${database}, in ${place}, ${encrypted ? 'encrypted' : 'not encrypted'}, with Valkey ${engineVersion}`,
    `${done}, ${raw} of RDB, ${stored} stored; begun ${startedAt}${endedAt ? `, ended ${endedAt}` : ''}`,
    ...(skewMs === null ? [] : [`The moments of its shards are ${skewMs} ms apart.`]),
    ...(rows.length > 0 ? ['', table(['SHARD', 'SLOTS', 'FROM', 'KEYS', 'RDB', 'STORED', 'OF', 'TOOK'], rows)] : []),
  ].join('\n');
}

/** When, where to, and what is kept. */
export function describeSchedule({ database, schedule, next }: BackupScheduleDocument): string {
  if (schedule === null) return `${database} is backed up only when somebody asks.`;
  const { cron, timeZone, place, keep, keepDays } = schedule;
  const kept = [
    ...(keep === null ? [] : [`the newest ${keep}`]),
    ...(keepDays === null ? [] : [`none older than ${counted(keepDays, 'day')}`]),
  ];
  return [
    `${database} is backed up at ${cron} (${timeZone}) to ${place}; next ${next ?? 'never'}.`,
    kept.length > 0 ? `Kept: ${kept.join(', ')}.` : 'All are kept.',
  ].join('\n');
}
