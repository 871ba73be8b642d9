/** Which backups of a schedule are kept. */
import type { BackupSchedule, BackupStatus } from '../domain/backup.ts';

const DAY_MS = 24 * 3_600_000;

/**
 * Those that are to go: done, made by the schedule of this database, and beyond what it keeps. The newest stays, however old.
 * @param now milliseconds since the epoch
 */
export function beyondRetention(
  backups: readonly BackupStatus[],
  { keep, keepDays }: Pick<BackupSchedule, 'keep' | 'keepDays'>,
  now: number,
): BackupStatus[] {
  const own = backups
    .filter(({ state, trigger }) => state === 'done' && trigger === 'schedule')
    .sort((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt));
  return own.slice(1).filter(({ startedAt }, index) => {
    const isTooMany = keep !== null && index + 1 >= keep;
    const isTooOld = keepDays !== null && now - Date.parse(startedAt) > keepDays * DAY_MS;
    return isTooMany || isTooOld;
  });
}
