import { ValkeeperError } from '../../domain/errors.ts';
import type { DatabaseStatus } from '../../domain/status.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { describeDatabase } from '../describe.ts';
import { untilMoved, type WaitOptions, withWait } from '../reshard-wait.ts';
import { addSpecOptions, type SpecOptions, specOf } from '../spec-options.ts';
import { waitUntil } from '../wait.ts';

interface Options extends SpecOptions, WaitOptions {
  from: string;
  at?: string;
  place?: string;
}

/** `db restore`: a database with the data of a backup, in any number of shards. */
export const addDbRestore: AddCommand = (db, host) => {
  const command = db
    .command('restore')
    .argument('<name>', 'the database that is made; lower-case letters, digits and hyphens')
    .requiredOption(
      '--from <source>',
      'the id of a backup, or the absolute path of an RDB file at the server; with --at, a database that is archived, or its uid',
    )
    .option(
      '--at <time>',
      'the moment, such as 2026-11-27T12:00:00Z: what was done up to the end of this second is in it',
      time,
    )
    .option('--place <place>', 'where the backup or the archive lies, when this fleet does not know it');
  withWait(
    addSpecOptions(
      command.description('make a database with the data of a backup, or of a moment; what is not said is as it was'),
    ).addHelpText(
      'after',
      example(
        'valkeeper db restore main2 --from main-20260131T030000Z-3f9a1c --shards 5',
        'valkeeper db restore before --from main --at 2026-01-31T03:00:00Z',
        'valkeeper db restore imported --from /srv/dump.rdb --shards 3 --memory 2gb',
      ),
    ),
  ).action(
    action<Options>(host, async (cli, { from, at, place, wait, timeout, ...options }, name) => {
      const where = { ...(at === undefined ? {} : { at }), ...(place === undefined ? {} : { place }) };
      const wish = { name: name!, from, spec: specOf(options), ...where };
      let database = await cli.client.restore(wish);
      if (wait) database = await untilRestored(cli, name!, timeout);
      cli.print(database, () => describeDatabase(database));
    }),
  );
};

/** ISO, with its zone: what a clock on the wall shows would be another moment for another person. */
function time(text: string): string {
  const isWhole = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  if (isWhole && !Number.isNaN(Date.parse(text))) return new Date(text).toISOString();
  throw new ValkeeperError('usage', {
    problem: `--at: ${JSON.stringify(text)} is no moment.`,
    remedy: 'Write it as 2026-11-27T12:00:00Z, or with a zone such as +01:00 in place of the Z.',
  });
}

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
