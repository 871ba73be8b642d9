/** Runs that were made before, read from their folders: one table of several, since all rows together take hours. */
import { keptIn } from './output.ts';
import type { Repetition } from './repetition.ts';
import { ROWS } from './rows.ts';
import type { RowResult } from './run-row.ts';

/** Of what is in several folders, the last counts. @throws Error when a folder has no repetitions, or of a row unknown here */
export function earlierResults(folders: readonly string[]): RowResult[] {
  const found = new Map<string, RowResult>();
  for (const folder of folders) {
    const kept = keptIn<Repetition>(folder);
    for (const [key, repetitions] of Map.groupBy(kept, ({ row, system }) => `${row} of ${system}`)) {
      const { row: id, system } = repetitions[0]!;
      const row = ROWS.find((one) => one.id === id);
      if (!row) throw new Error(`${folder} has a row ${id} that there is no more`);
      found.set(key, { row, system, repetitions, failure: null });
    }
  }
  return [...found.values()].sort((a, b) => ROWS.indexOf(a.row) - ROWS.indexOf(b.row));
}
