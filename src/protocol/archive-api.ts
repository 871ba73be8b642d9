/** What the API takes and tells about archives. */
import { z } from 'zod';
import type { ArchiveStatus } from '../domain/archive.ts';

const MOST_SECONDS = 3_600;
const MOST_DAYS = 100_000;

/** How a database is archived; what is not said stays as it is. */
export const archiveSchema = z.strictObject({
  place: z.string().optional().describe('A folder of the server, or s3://bucket/prefix; else the default.'),
  everySeconds: z
    .int()
    .min(1)
    .max(MOST_SECONDS)
    .optional()
    .describe('How often logs are fetched: so much may be missing at the end. 30 where nothing is said.'),
  keepDays: z.int().min(1).max(MOST_DAYS).nullable().optional().describe('What is older is removed; null: nothing is.'),
});
export type ArchiveWish = z.infer<typeof archiveSchema>;

export interface ArchiveList {
  archives: ArchiveStatus[];
}
