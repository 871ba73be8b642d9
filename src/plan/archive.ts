/** What is to be said of a database's archive. */
import type { ArchiveView } from '../domain/archive.ts';
import { momentOf } from '../domain/archive.ts';
import type { Database } from '../domain/database.ts';
import type { DatabaseArchive } from '../domain/status.ts';
import { counted } from '../domain/template.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Problem } from './problems.ts';

/** So many times it may not work before it is told. */
const TOLD_INTERVALS = 3;
/** A fetch that is under way takes its time. */
const LEAST_LAG_MS = 10_000;

/** Whether it lags behind. */
export function archiveProblems({ name }: Database, { at, archive }: DatabaseView): Problem[] {
  if (!archive) return [];
  const lagMs = at - archive.fetchedAt;
  if (lagMs <= Math.max(LEAST_LAG_MS, TOLD_INTERVALS * archive.everySeconds * 1_000)) return [];
  const reason = archive.problem ?? 'it takes longer than that';
  const lag = counted(Math.round(lagMs / 1_000), 'second');
  return [{ code: 'archive_behind', params: { name, place: archive.place, lag, reason } }];
}

/** As it is published; null while there is none. */
export const archiveStatus = (archive: ArchiveView | null | undefined): DatabaseArchive | null =>
  archive
    ? {
        place: archive.place,
        from: archive.span && momentOf(archive.span.from),
        until: archive.span && momentOf(archive.span.to),
      }
    : null;
