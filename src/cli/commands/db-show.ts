import { type AddCommand, action, example } from '../action.ts';
import { describeDatabase } from '../describe.ts';

/** `db show`: one database with its shards, nodes and conditions. */
export const addDbShow: AddCommand = (db, host) => {
  db.command('show')
    .argument('<name>', 'the database')
    .description('show state, shards, nodes and conditions of a database')
    .addHelpText('after', example('valkeeper db show main', 'valkeeper db show main --json'))
    .action(
      action(host, async (cli, _options, name) => {
        const database = await cli.client.database(name!);
        cli.print(database, () => describeDatabase(database));
      }),
    );
};
