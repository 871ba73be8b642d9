/** What an archive reaches, waited for. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { ArchiveStatus } from '../../src/domain/archive.ts';
import type { Fleet } from './fleet.ts';

const REACHED_MS = 30_000;
const POLL_MS = 200;

const secondsOf = (text: string): number => Date.parse(text) / 1_000;

/** Whether the moment at the end of this second can be restored. */
export const isReached = ({ window }: ArchiveStatus, second: number): boolean =>
  window.some(({ from, to }) => secondsOf(from) <= second && second <= secondsOf(to));

/** The archive of a database once it is as wanted, by the command line. @throws when it is not within 30 s */
export async function untilArchived(
  fleet: Fleet,
  database: string,
  wanted: (archive: ArchiveStatus) => boolean,
): Promise<ArchiveStatus> {
  const deadline = performance.now() + REACHED_MS;
  for (;;) {
    const shown = await fleet.cli('backup', 'window', database, '--json');
    assert.equal(shown.code, 0, shown.stdout);
    const archive = shown.json<ArchiveStatus>();
    if (wanted(archive)) return archive;
    assert.ok(performance.now() < deadline, `it is not reached: ${shown.stdout}`);
    await pause(POLL_MS);
  }
}
