import type { DatabaseStatus } from '../../domain/status.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { describeDatabase } from '../describe.ts';
import { untilMoved, type WaitOptions, withWait } from '../reshard-wait.ts';
import { addSpecOptions, type SpecOptions, specOf } from '../spec-options.ts';
import { waitUntil } from '../wait.ts';

interface Options extends SpecOptions, WaitOptions {
  from: string;
  place?: string;
}

/** `db restore`: a database with the data of a backup, in any number of shards. */
export const addDbRestore: AddCommand = (db, host) => {
  const command = db
    .command('restore')
    .argument('<name>', 'the database that is made; lower-case letters, digits and hyphens')
    .requiredOption('--from <backup>', 'the id of a backup, or the absolute path of an RDB file at the server')
    .option('--place <place>', 'where the backup lies, when this fleet does not know it');
  withWait(
    addSpecOptions(
      command.description('make a database with the data of a backup; what is not said is as it was'),
    ).addHelpText(
      'after',
      example(
        'valkeeper db restore main2 --from main-20260131T030000Z-3f9a1c --shards 5',
        'valkeeper db restore imported --from /srv/dump.rdb --shards 3 --memory 2gb',
      ),
    ),
  ).action(
    action<Options>(host, async (cli, { from, place, wait, timeout, ...options }, name) => {
      const wish = { name: name!, from, spec: specOf(options), ...(place === undefined ? {} : { place }) };
      let database = await cli.client.restore(wish);
      if (wait) database = await untilRestored(cli, name!, timeout);
      cli.print(database, () => describeDatabase(database));
    }),
  );
};

/** Until all data is there, in as many shards as were asked for. @throws not_in_time */
async function untilRestored(cli: Cli, name: string, seconds: number): Promise<DatabaseStatus> {
  const progress = cli.progress();
  await waitUntil({
    poll: () => cli.client.database(name),
    missing: ({ restore, conditions }: DatabaseStatus) => {
      if (restore === null) return null;
      const told = conditions.find(({ code }) => code === 'restoring') ?? conditions[0];
      return told?.message ?? `its slots are to be spread over ${restore.shards} shards`;
    },
    timeoutMs: seconds * 1_000,
    progress,
    what: `${name} has not all of its data`,
    command: `valkeeper db show ${name}`,
  }).finally(() => progress.end());
  return untilMoved(cli, name, seconds);
}
