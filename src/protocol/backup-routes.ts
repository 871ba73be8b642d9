/** The API's routes about backups; part of the table of `routes.ts`. */
import { z } from 'zod';
import {
  backupPlaceSchema,
  backupScheduleSchema,
  backupsQuerySchema,
  backupWishSchema,
  restoreSchema,
} from './backup-api.ts';

/** What a wish for a database may be refused with. */
export const ADMISSION = [
  'invalid_name',
  'not_enough_memory',
  'no_auth_beyond_loopback',
  'client_tls_unavailable',
  'no_free_ports',
  'endpoint_port_taken',
  'bad_rules',
  'agent_away',
  'agent_timeout',
] as const;

const byName = z.strictObject({ name: z.string() });
const byId = z.strictObject({ id: z.string() });
/** What any place may answer. */
const BACKUP = [
  'backup_place_invalid',
  'backup_store_unusable',
  'backup_damaged',
  'backup_format_newer',
  'backup_key_wrong',
] as const;

export const BACKUP_ROUTES = {
  'POST /databases/{name}/backups': {
    summary: 'Make a backup; it is made afterwards, from replicas where they are in sync',
    params: byName,
    body: backupWishSchema.prefault({}),
    status: 202,
    answer: 'Backup',
    errors: [
      ...BACKUP,
      'database_not_found',
      'being_deleted',
      'backup_running',
      'backup_refused',
      'backup_place_missing',
      'stopping',
    ],
  },
  'GET /databases/{name}/shards/{shard}/rdb': {
    summary:
      'The data of a shard as an RDB file, streamed from a replica where one is in sync; it may have to wait for its turn',
    params: z.strictObject({ name: z.string(), shard: z.string() }),
    bytes: true,
    status: 200,
    answer: 'Rdb',
    errors: [
      'database_not_found',
      'shard_not_found',
      'being_deleted',
      'restore_running',
      'export_refused',
      'export_failed',
      'stopping',
    ],
  },
  'GET /databases/{name}/backup-schedule': {
    summary: 'When the database is backed up by itself',
    params: byName,
    status: 200,
    answer: 'BackupSchedule',
    errors: ['database_not_found'],
  },
  'PUT /databases/{name}/backup-schedule': {
    summary: 'Back the database up by itself',
    params: byName,
    body: backupScheduleSchema,
    status: 200,
    answer: 'BackupSchedule',
    errors: ['database_not_found', 'being_deleted', 'backup_place_invalid', 'backup_place_missing', 'stopping'],
  },
  'DELETE /databases/{name}/backup-schedule': {
    summary: 'Back the database up only when somebody asks; its backups stay',
    params: byName,
    status: 200,
    answer: 'BackupSchedule',
    errors: ['database_not_found', 'stopping'],
  },
  'GET /backups': {
    summary: 'Backups that are known here, or that lie in a place; the newest last',
    query: backupsQuerySchema,
    status: 200,
    answer: 'BackupList',
    errors: BACKUP,
  },
  'GET /backups/{id}': {
    summary: 'One backup, with its parts',
    params: byId,
    query: backupPlaceSchema,
    status: 200,
    answer: 'Backup',
    errors: [...BACKUP, 'backup_not_found'],
  },
  'POST /backups/{id}/verify': {
    summary: 'Read all of a backup, and see that it is as it was written',
    params: byId,
    body: backupPlaceSchema.prefault({}),
    status: 200,
    answer: 'Backup',
    errors: [...BACKUP, 'backup_not_found', 'backup_unfinished', 'backup_key_missing'],
  },
  'DELETE /backups/{id}': {
    summary: 'Remove a backup',
    params: byId,
    query: backupPlaceSchema,
    status: 200,
    answer: 'Backup',
    errors: [...BACKUP, 'backup_not_found', 'backup_running', 'stopping'],
  },
  'POST /restores': {
    summary:
      'Ask for a database with the data of a backup, or of a moment, in as many shards as are wanted; it comes into being afterwards',
    body: restoreSchema,
    status: 201,
    answer: 'DatabaseStatus',
    errors: [
      ...BACKUP,
      'backup_not_found',
      'backup_unfinished',
      'backup_key_missing',
      'backup_does_not_fit',
      'archive_not_found',
      'moment_not_reachable',
      'rdb_unreadable',
      'file_unusable',
      'database_exists',
      'stopping',
      ...ADMISSION,
    ],
  },
} as const;
