/** `backup`: create, list, show, verify, delete, schedule. Archives: archive.ts. */
import type { BackupStatus } from '../../domain/backup.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import { counted } from '../../domain/template.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { describeBackup, describeBackups, describeSchedule } from '../describe-backup.ts';
import { integer, size } from '../options.ts';
import { waitUntil } from '../wait.ts';

/** Large ones take their time: an hour, if nothing is said. */
const BACKUP_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
const MOST_KEPT = 100_000;

const PLACE = 'where it lies, when this fleet does not know it: a folder of the server, or s3://bucket/prefix';

interface Create {
  to?: string;
  /** Bytes a second. */
  rate?: number;
  wait: boolean;
  timeout: number;
}

/** `backup create`: makes one and waits until it is there. */
export const addBackupCreate: AddCommand = (backup, host) => {
  backup
    .command('create')
    .argument('<name>', 'the database')
    .description('make a backup, from replicas where they are in sync, and wait until it is there')
    .option('--to <place>', 'a folder of the server, or s3://bucket/prefix (default: backups in its data directory)')
    .option(
      '--rate <size>',
      'read so much a second, of all shards together (default: 4mb for each processor of the server)',
      size('--rate'),
    )
    .option('--no-wait', 'return as soon as it is begun')
    .option(
      '--timeout <seconds>',
      'how long to wait',
      integer('--timeout', { min: 1, max: DAY_SECONDS }),
      BACKUP_SECONDS,
    )
    .addHelpText(
      'after',
      example('valkeeper backup create main', 'valkeeper backup create main --to s3://my-bucket/valkeeper'),
    )
    .action(
      action<Create>(host, async (cli, { to, rate, wait, timeout }, name) => {
        const wish = { ...(to === undefined ? {} : { to }), ...(rate === undefined ? {} : { bytesPerSecond: rate }) };
        const begun = await cli.client.createBackup(name!, wish);
        const backup = wait ? await untilDone(cli, begun, timeout) : begun;
        cli.print(backup, () => describeBackup(backup));
      }),
    );
};

/** @throws not_in_time, backup_failed */
async function untilDone(cli: Cli, { id, shards }: BackupStatus, seconds: number): Promise<BackupStatus> {
  const progress = cli.progress();
  const seen = await waitUntil({
    poll: () => cli.client.backup(id),
    missing: ({ state, parts }: BackupStatus) =>
      state === 'running' ? `${parts.length} of ${counted(shards, 'shard')} backed up` : null,
    timeoutMs: seconds * 1_000,
    progress,
    what: `the backup ${id} is not done`,
    command: `valkeeper backup show ${id}`,
  }).finally(() => progress.end());
  if (seen.state === 'failed') throw new ValkeeperError('backup_failed', { reason: seen.problem ?? 'unknown' });
  return seen;
}

/** `backup list`. */
export const addBackupList: AddCommand = (backup, host) => {
  backup
    .command('list')
    .argument('[name]', 'only those of this database')
    .description('list the backups that this fleet has made, or all that lie in a place; the newest last')
    .option('--place <place>', 'those that lie there: a folder of the server, or s3://bucket/prefix')
    .addHelpText('after', example('valkeeper backup list main', 'valkeeper backup list --place /srv/backups'))
    .action(
      action<{ place?: string }>(host, async (cli, { place }, name) => {
        const query = {
          ...(name === undefined ? {} : { database: name }),
          ...(place === undefined ? {} : { place }),
        };
        const found = await cli.client.backups(query);
        cli.print(found, () => describeBackups(found.backups));
      }),
    );
};

interface Where {
  place?: string;
}

/** `backup show`. */
export const addBackupShow: AddCommand = (backup, host) => {
  backup
    .command('show')
    .argument('<id>', 'the backup, as listed')
    .description('show a backup with its parts')
    .option('--place <place>', PLACE)
    .addHelpText('after', example('valkeeper backup show main-20260131T030000Z-3f9a1c'))
    .action(
      action<Where>(host, async (cli, where, id) => {
        const found = await cli.client.backup(id!, placeOf(where));
        cli.print(found, () => describeBackup(found));
      }),
    );
};

/** `backup verify`. */
export const addBackupVerify: AddCommand = (backup, host) => {
  backup
    .command('verify')
    .argument('<id>', 'the backup, as listed')
    .description('read all of a backup, and see that it is as it was written')
    .option('--place <place>', PLACE)
    .addHelpText('after', example('valkeeper backup verify main-20260131T030000Z-3f9a1c'))
    .action(
      action<Where>(host, async (cli, where, id) => {
        const found = await cli.client.verifyBackup(id!, placeOf(where));
        cli.print(found, () => `${found.id} is whole: ${counted(found.parts.length, 'shard')} read and checked.`);
      }),
    );
};

/** `backup delete`. */
export const addBackupDelete: AddCommand = (backup, host) => {
  backup
    .command('delete')
    .argument('<id>', 'the backup, as listed')
    .description('remove a backup for good')
    .option('--place <place>', PLACE)
    .option('--yes', 'do not ask')
    .addHelpText('after', example('valkeeper backup delete main-20260131T030000Z-3f9a1c --yes'))
    .action(
      action<Where & { yes?: boolean }>(host, async (cli, { yes, ...where }, id) => {
        await cli.confirm(`Remove the backup ${id} for good?`, yes ?? false);
        const removed = await cli.client.removeBackup(id!, placeOf(where));
        cli.print(removed, () => `${removed.id} was removed from ${removed.place}.`);
      }),
    );
};

interface Schedule {
  cron?: string;
  timeZone?: string;
  to?: string;
  keep?: number;
  keepDays?: number;
  off?: boolean;
}

/** `backup schedule`. */
export const addBackupSchedule: AddCommand = (backup, host) => {
  backup
    .command('schedule')
    .argument('<name>', 'the database')
    .description('show when a database is backed up by itself, or change it')
    .option('--cron <fields>', 'minute, hour, day of the month, month, day of the week, such as "0 3 * * *"')
    .option('--time-zone <zone>', 'such as Europe/Berlin (default: UTC)')
    .option('--to <place>', 'a folder of the server, or s3://bucket/prefix (default: backups in its data directory)')
    .option('--keep <count>', 'the newest so many', integer('--keep', { min: 1, max: MOST_KEPT }))
    .option('--keep-days <days>', 'none older, but the newest', integer('--keep-days', { min: 1, max: MOST_KEPT }))
    .option('--off', 'only when somebody asks; backups stay')
    .addHelpText(
      'after',
      example(
        'valkeeper backup schedule main --cron "0 3 * * *" --time-zone Europe/Berlin --keep 14',
        'valkeeper backup schedule main',
        'valkeeper backup schedule main --off',
      ),
    )
    .action(
      action<Schedule>(host, async (cli, { cron, timeZone, to, keep, keepDays, off }, name) => {
        const more = {
          ...(timeZone === undefined ? {} : { timeZone }),
          ...(to === undefined ? {} : { place: to }),
          ...(keep === undefined ? {} : { keep }),
          ...(keepDays === undefined ? {} : { keepDays }),
        };
        if (cron === undefined && Object.keys(more).length > 0) {
          throw new ValkeeperError('usage', {
            problem: 'When? --cron is missing.',
            remedy: 'Such as --cron "0 3 * * *".',
          });
        }
        const shown = off
          ? await cli.client.removeBackupSchedule(name!)
          : cron === undefined
            ? await cli.client.backupSchedule(name!)
            : await cli.client.setBackupSchedule(name!, { cron, ...more });
        cli.print(shown, () => describeSchedule(shown));
      }),
    );
};

const placeOf = ({ place }: Where): { place?: string } => (place === undefined ? {} : { place });
