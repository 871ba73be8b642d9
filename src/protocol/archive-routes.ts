/** The API's routes about archives; part of the table of `routes.ts`. */
import { z } from 'zod';
import { archiveSchema } from './archive-api.ts';

const byName = z.strictObject({ name: z.string() });
const byArchive = z.strictObject({ archive: z.string() });
const PLACE = ['backup_place_invalid', 'backup_store_unusable'] as const;
/** What reading one may meet. */
const READING = [...PLACE, 'backup_damaged', 'backup_format_newer', 'backup_key_missing', 'backup_key_wrong'] as const;

export const ARCHIVE_ROUTES = {
  'PUT /databases/{name}/archive': {
    summary: 'Keep the append-only log of the database from now on, so that any moment can be restored',
    params: byName,
    body: archiveSchema.prefault({}),
    status: 200,
    answer: 'Archive',
    errors: [
      ...READING,
      'database_not_found',
      'being_deleted',
      'archive_refused',
      'archive_not_found',
      'backup_place_missing',
      'stopping',
    ],
  },
  'DELETE /databases/{name}/archive': {
    summary: 'Keep no more of its log; what is there can still be restored',
    params: byName,
    status: 200,
    answer: 'Archive',
    errors: [...READING, 'archive_not_found', 'stopping'],
  },
  'GET /archives': {
    summary: 'Archives that are known here; what those that are off reach is told one by one',
    status: 200,
    answer: 'ArchiveList',
    errors: [],
  },
  'GET /archives/{archive}': {
    summary: 'An archive, by the name of the database or its uid, with the moments that can be restored',
    params: byArchive,
    status: 200,
    answer: 'Archive',
    errors: [...READING, 'archive_not_found'],
  },
  'DELETE /archives/{archive}': {
    summary: 'Remove an archive, with all that is there',
    params: byArchive,
    status: 200,
    answer: 'Archive',
    errors: [...PLACE, 'archive_not_found', 'stopping'],
  },
} as const;
