/** `backup archive` and `backup window`: the log of a database kept, and what can be restored of it. */
import { ValkeeperError } from '../../domain/errors.ts';
import { type AddCommand, action, example } from '../action.ts';
import { describeArchive, describeArchives } from '../describe-archive.ts';
import { duration, integer } from '../options.ts';

const MOST_DAYS = 100_000;
const MOST_SECONDS = 3_600;

interface Options {
  to?: string;
  every?: number;
  keepDays?: number;
  keepAll?: boolean;
  off?: boolean;
  delete?: boolean;
  yes?: boolean;
}

/** `backup archive`: turned on, changed, turned off, removed. */
export const addBackupArchive: AddCommand = (backup, host) => {
  backup
    .command('archive')
    .argument('<name>', 'the database; of one that is gone, its uid will do')
    .description('keep the append-only log of a database, so that any moment can be restored')
    .option('--to <place>', 'a folder of the server, or s3://bucket/prefix (default: backups in its data directory)')
    .option(
      '--every <time>',
      'fetch the log so often, such as 10s or 5m (default: 30s)',
      duration('--every', { min: 1, max: MOST_SECONDS }),
    )
    .option('--keep-days <days>', 'keep none that is older', integer('--keep-days', { min: 1, max: MOST_DAYS }))
    .option('--keep-all', 'keep all of it, as is done when nothing is said')
    .option('--off', 'add nothing more; what is there can still be restored')
    .option('--delete', 'remove all of it for good')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      example(
        'valkeeper backup archive main --to s3://my-bucket/valkeeper --keep-days 7',
        'valkeeper backup archive main --every 10s',
        'valkeeper backup archive main --off',
        'valkeeper backup archive main --delete --yes',
      ),
    )
    .action(
      action<Options>(host, async (cli, { to, every, keepDays, keepAll, off, delete: remove, yes }, name) => {
        const wish = {
          ...(to === undefined ? {} : { place: to }),
          ...(every === undefined ? {} : { everySeconds: every }),
          ...(keepDays === undefined ? {} : { keepDays }),
          ...(keepAll ? { keepDays: null } : {}),
        };
        if ((off || remove) && Object.keys(wish).length > 0) {
          throw new ValkeeperError('usage', {
            problem: '--off and --delete take nothing beside them.',
            remedy: 'Leave the other options out.',
          });
        }
        if (remove) {
          await cli.confirm(`Remove the archive of ${name} for good?`, yes ?? false);
          const removed = await cli.client.removeArchive(name!);
          return cli.print(removed, () => `The archive of ${removed.database} was removed from ${removed.place}.`);
        }
        const archive = off ? await cli.client.turnArchiveOff(name!) : await cli.client.setArchive(name!, wish);
        cli.print(archive, () => describeArchive(archive));
      }),
    );
};

/** `backup window`: the moments that can be restored. */
export const addBackupWindow: AddCommand = (backup, host) => {
  backup
    .command('window')
    .argument('[name]', 'the database; of one that is gone, its uid will do')
    .description('show which moments of a database can be restored; without a name, the archives that are known')
    .addHelpText('after', example('valkeeper backup window main', 'valkeeper backup window'))
    .action(
      action(host, async (cli, _options, name) => {
        if (name === undefined) {
          const all = await cli.client.archives();
          return cli.print(all, () => describeArchives(all.archives));
        }
        const archive = await cli.client.archive(name);
        cli.print(archive, () => describeArchive(archive));
      }),
    );
};
