import { ValkeeperError } from '../../domain/errors.ts';
import { type AddCommand, action, example } from '../action.ts';
import { describeDatabase } from '../describe.ts';
import { integer } from '../options.ts';
import { RESHARD_SECONDS, untilMoved } from '../reshard-wait.ts';
import { addChangeOptions, changedUsers, type SpecOptions, specOf } from '../spec-options.ts';
import { untilReady } from '../wait.ts';

interface Options extends SpecOptions {
  wait: boolean;
  timeout?: number;
}

const READY_SECONDS = 120;

/** `db update`: changes what can change while the database runs, and waits until every node has it. */
export const addDbUpdate: AddCommand = (db, host) => {
  const command = db.command('update').argument('<name>', 'an existing database');
  addChangeOptions(
    command.description('change a database while it runs; a user without rules (--user name=) is removed'),
  )
    .option('--no-wait', 'return as soon as the wish is stored')
    .option(
      '--timeout <seconds>',
      'how long to wait; else 120, or an hour where slots move',
      integer('--timeout', { min: 1, max: 86_400 }),
    )
    .addHelpText('after', example('valkeeper db update orders --memory 2gb --eviction allkeys-lru'))
    .action(
      action<Options>(host, async (cli, options, name) => {
        let change = specOf(options);
        if (Object.keys(change).length === 0) {
          const remedy = 'Name one of the options of `valkeeper db update --help`, such as --memory.';
          throw new ValkeeperError('usage', { problem: 'db update: nothing to change', remedy });
        }
        if (change.users) {
          const { spec } = await cli.client.database(name!);
          change = { ...change, users: changedUsers(spec.users, change.users) };
        }
        let database = await cli.client.update(name!, change);
        const seconds = options.timeout ?? (database.reshard ? RESHARD_SECONDS : READY_SECONDS);
        if (options.wait)
          database = database.reshard ? await untilMoved(cli, name!, seconds) : await untilReady(cli, name!, seconds);
        cli.print(database, () => describeDatabase(database));
      }),
    );
};
