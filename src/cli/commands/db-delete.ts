import { ValkeeperError } from '../../domain/errors.ts';
import type { DatabaseStatus } from '../../domain/status.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Client } from '../client.ts';
import { integer } from '../options.ts';
import { waitUntil } from '../wait.ts';

interface Options {
  yes?: boolean;
  wait: boolean;
  timeout: number;
}

/** `db delete`: removes a database with all its data, after a yes. */
export const addDbDelete: AddCommand = (db, host) => {
  db.command('delete')
    .argument('<name>', 'the database')
    .description('delete a database with all its data')
    .option('--yes', 'do not ask')
    .option('--no-wait', 'return as soon as the wish is stored')
    .option('--timeout <seconds>', 'how long to wait', integer('--timeout', { min: 1, max: 86_400 }), 120)
    .addHelpText('after', example('valkeeper db delete orders --yes'))
    .action(
      action<Options>(host, async (cli, options, name) => {
        await cli.client.database(name!);
        await cli.confirm(`Delete the database ${name} with all its data?`, options.yes ?? false);
        await cli.client.delete(name!);
        if (options.wait) {
          const progress = cli.progress();
          await waitUntil({
            poll: () => unlessGone(cli.client, name!),
            missing: (left) => left && `${left.shards.length} shards of ${name} are being removed`,
            timeoutMs: options.timeout * 1000,
            progress,
            what: `${name} was not gone`,
            command: `valkeeper db show ${name}`,
          }).finally(() => progress.end());
        }
        cli.print({ name, deleted: options.wait }, () => `${name} ${options.wait ? 'is gone.' : 'is being deleted.'}`);
      }),
    );
};

const unlessGone = async (client: Client, name: string): Promise<DatabaseStatus | null> => {
  try {
    return await client.database(name);
  } catch (error) {
    if (error instanceof ValkeeperError && error.code === 'database_not_found') return null;
    throw error;
  }
};
