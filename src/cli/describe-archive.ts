/** Archives in words. */
import type { ArchiveStatus } from '../domain/archive.ts';
import { counted } from '../domain/template.ts';
import { table } from './table.ts';

/** One, with what can be restored of it. */
export function describeArchive(archive: ArchiveStatus): string {
  const { database, databaseUid, place, state, everySeconds, keepDays, encrypted, window, problem } = archive;
  const last = window.at(-1);
  const from = state === 'on' ? database : databaseUid;
  const when =
    state === 'on'
      ? `its log is fetched every ${counted(everySeconds, 'second')}`
      : `nothing is added any more; its uid is ${databaseUid}`;
  return [
    `${database} is archived in ${place}, ${encrypted ? 'encrypted' : 'not encrypted'}: ${when}.`,
    keepDays === null ? 'All of it is kept.' : `What is older than ${counted(keepDays, 'day')} is removed.`,
    ...(problem === null ? [] : [`It does not go on: ${problem}.`]),
    ...(last ? [...reach(window), '', `valkeeper db restore NEW --from ${from} --at ${last.to}`] : [NOTHING]),
  ].join('\n');
}

const NOTHING = 'Nothing can be restored yet.';

const reach = (window: ArchiveStatus['window']): string[] => [
  '',
  table(
    ['FROM', 'UNTIL'],
    window.map(({ from, to }) => [from, to]),
  ),
];

/** A line each. */
export function describeArchives(archives: readonly ArchiveStatus[]): string {
  if (archives.length === 0) return 'There are no archives. `valkeeper backup archive NAME` begins one.';
  const rows = archives.map(({ database, databaseUid, state, window, place }) => {
    const reached = state === 'on' ? (window.at(-1)?.to ?? 'nothing yet') : '-';
    return [database, databaseUid, state, state === 'on' ? (window[0]?.from ?? '-') : '-', reached, place];
  });
  return table(['DATABASE', 'UID', 'STATE', 'FROM', 'UNTIL', 'PLACE'], rows);
}
