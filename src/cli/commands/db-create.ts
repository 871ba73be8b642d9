import { type AddCommand, action, example } from '../action.ts';
import { describeDatabase } from '../describe.ts';
import { integer } from '../options.ts';
import { addSpecOptions, type SpecOptions, specOf } from '../spec-options.ts';
import { untilReady } from '../wait.ts';

interface Options extends SpecOptions {
  wait: boolean;
  timeout: number;
}

/** `db create`: asks for a database and waits until it is ready. */
export const addDbCreate: AddCommand = (db, host) => {
  const command = db.command('create').argument('<name>', 'lower-case letters, digits and hyphens');
  addSpecOptions(command.description('create a database and wait until it is ready'))
    .option('--no-wait', 'return as soon as the wish is stored')
    .option('--timeout <seconds>', 'how long to wait', integer('--timeout', { min: 1, max: 86_400 }), 120)
    .addHelpText('after', example('valkeeper db create orders --shards 3 --replicas 1 --memory 1gb'))
    .action(
      action<Options>(host, async (cli, options, name) => {
        let database = await cli.client.create({ name: name!, spec: specOf(options) });
        if (options.wait) database = await untilReady(cli, name!, options.timeout);
        cli.print(database, () => describeDatabase(database));
      }),
    );
};
