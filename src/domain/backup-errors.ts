/** Errors about backups: their places, what is damaged in them, the keys that open them, and restoring. Part of the catalogue; see error-catalogue.ts. */

/** By code. */
export const BACKUP_ERRORS = {
  backup_not_found: {
    kind: 'not_found',
    message: 'There is no backup {id}.',
    hint: 'List them with `valkeeper backup list`; those in another place with --place.',
  },
  backup_exists: {
    kind: 'conflict',
    message: 'There is a backup {id} already.',
    hint: 'Ask again: the next has another id.',
  },
  backup_running: {
    kind: 'conflict',
    message: 'The backup {id} of {name} is being made: one at a time.',
    hint: 'Wait for its end: `valkeeper backup show {id}`.',
  },
  backup_refused: {
    kind: 'refused',
    message: '{name} is not backed up now: {reason}.',
    hint: 'Nothing was begun. See `valkeeper db show {name}`, and ask again when that is over.',
  },
  backup_failed: {
    kind: 'unavailable',
    message: 'The backup came to nothing: {reason}.',
    hint: 'Nothing of it is kept. Ask again.',
  },
  backup_unfinished: {
    kind: 'conflict',
    message: 'The backup {id} is not there: {reason}.',
    hint: 'Choose one that is done: `valkeeper backup list`.',
  },
  archive_not_found: {
    kind: 'not_found',
    message: 'There is no archive of {name}.',
    hint: 'List those that are known with `valkeeper backup window`. One in another place is found with --place.',
  },
  archive_refused: {
    kind: 'refused',
    message: '{name} is not archived: {reason}.',
    hint: 'Nothing was changed.',
  },
  moment_not_reachable: {
    kind: 'refused',
    message: 'The archive of {name} does not reach {at}: {reason}.',
    hint: 'Nothing was begun. What can be restored: {window}.',
  },
  backup_place_missing: {
    kind: 'invalid',
    message: 'Where is the backup of {name} to go? With several servers there is no folder that all of them have.',
    hint: 'Say it with --to: a folder that every server has, or s3://bucket/prefix.',
  },
  backup_does_not_fit: {
    kind: 'refused',
    message: 'A shard of {id} has {largest} of data, and each may have {room}.',
    hint: 'Nothing was begun. Ask for more memory: --memory {memory}.',
  },
  rdb_unreadable: {
    kind: 'refused',
    message: '{path} cannot be restored from: {reason}.',
    hint: 'Nothing was begun. Data of Redis 7.4 and later has to be copied key by key from the running server.',
  },
  export_refused: {
    kind: 'refused',
    message: '{shard} of {name} is not exported now: {reason}.',
    hint: 'See `valkeeper db show {name}`, and ask again when that is over.',
  },
  export_failed: {
    kind: 'unavailable',
    message: '{shard} of {name} was not exported: {reason}.',
    hint: 'No file was written. Ask again; `valkeeper db show {name}` tells how its nodes are.',
  },
  export_exists: {
    kind: 'conflict',
    message: '{path} is there already.',
    hint: 'Nothing was written. Name another folder, or replace it with --force.',
  },
  restore_running: {
    kind: 'conflict',
    message: 'The data of {name} is on its way from a backup.',
    hint: 'Wait until it is there: `valkeeper db show {name}`.',
  },

  backup_place_invalid: {
    kind: 'invalid',
    message: '{place} is no place for backups: {problem}.',
    hint: 'For example: {example}',
  },
  blob_name_invalid: {
    kind: 'invalid',
    message: '{name} cannot be the name of a blob: {problem}.',
    hint: 'Names are words of letters, digits, dots, hyphens and underscores with a / between them, such as shop/2026-01-31/0.rdb.',
  },
  blob_missing: {
    kind: 'not_found',
    message: 'There is no {name} in {place}.',
    hint: 'It was removed, or was never written to this place: look whether it is the right one.',
  },
  backup_store_unusable: {
    kind: 'unavailable',
    message: 'The place for backups {place} cannot be used: {problem}.',
    hint: '{remedy}',
  },
  backup_damaged: {
    kind: 'conflict',
    message: '{what} is damaged: {problem}.',
    hint: 'Nothing of it is used. Take another backup, or a copy of this one from elsewhere.',
  },
  backup_format_newer: {
    kind: 'conflict',
    message: 'The backup is of format {version}; this Valkeeper knows formats up to {known}.',
    hint: 'Read it with the version of Valkeeper that wrote it, or a later one.',
  },
  backup_part_too_large: {
    kind: 'refused',
    message: 'A part of the backup has more than {limit} bytes, the most that was granted.',
    hint: 'Nothing was kept of it. Look at the memory of the database: `valkeeper db show NAME`.',
  },
  backup_part_unfinished: {
    kind: 'unavailable',
    message: 'A part of the backup was given up before its end.',
    hint: 'Take the backup again; the error that came before this one says why.',
  },
  backup_key_missing: {
    kind: 'invalid',
    message: 'The backup is encrypted, and no key was given.',
    hint: 'Start the server with --backup-key-file, or with VALKEEPER_BACKUP_KEY.',
  },
  backup_key_wrong: {
    kind: 'invalid',
    message: 'The key {given} does not open the backup: it was encrypted with the key {wanted}.',
    hint: 'Start the server with the file of that key (--backup-key-file), or with VALKEEPER_BACKUP_KEY.',
  },
  backup_key_invalid: {
    kind: 'invalid',
    message: '{source} holds no key for backups: {problem}.',
    hint: '{remedy}',
  },
} as const;
