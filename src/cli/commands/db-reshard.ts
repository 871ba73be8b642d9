import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';
import { describeReshard } from '../describe-reshard.ts';
import { untilMoved, type WaitOptions, withWait } from '../reshard-wait.ts';

/** `db reshard show`: how far the slots are. */
const addReshardShow: AddCommand = (reshard, host) => {
  reshard
    .command('show')
    .argument('<name>', 'the database')
    .description('show how far the slots are on their way, at which rate, and how long it takes yet')
    .addHelpText('after', example('valkeeper db reshard show main'))
    .action(
      action(host, async (cli, _, name) => {
        const database = await cli.client.database(name!);
        cli.print({ reshard: database.reshard }, () => describeReshard(database));
      }),
    );
};

/** `db reshard pause`: the job that runs is the last. */
const addReshardPause: AddCommand = (reshard, host) => {
  reshard
    .command('pause')
    .argument('<name>', 'the database')
    .description('begin no further job; the one that runs ends by itself')
    .addHelpText('after', example('valkeeper db reshard pause main'))
    .action(
      action(host, async (cli, _, name) => {
        const database = await cli.client.reshard(name!, { action: 'pause' });
        cli.print({ reshard: database.reshard }, () => describeReshard(database));
      }),
    );
};

/** `db reshard resume`: it goes on. */
const addReshardResume: AddCommand = (reshard, host) => {
  withWait(
    reshard
      .command('resume')
      .argument('<name>', 'the database')
      .description('go on after a pause, or after jobs that failed too often')
      .addHelpText('after', example('valkeeper db reshard resume main')),
  ).action(action<WaitOptions>(host, (cli, options, name) => actAndWait(cli, name!, 'resume', options)));
};

/** `db reshard cancel`: back to what was. */
const addReshardCancel: AddCommand = (reshard, host) => {
  withWait(
    reshard
      .command('cancel')
      .argument('<name>', 'the database')
      .description('give it up: the former number of shards, and every slot back to where it was')
      .addHelpText('after', example('valkeeper db reshard cancel main')),
  ).action(action<WaitOptions>(host, (cli, options, name) => actAndWait(cli, name!, 'cancel', options)));
};

async function actAndWait(
  cli: Cli,
  name: string,
  wish: 'resume' | 'cancel',
  { wait, timeout }: WaitOptions,
): Promise<void> {
  let database = await cli.client.reshard(name, { action: wish });
  if (wait) database = await untilMoved(cli, name, timeout);
  cli.print({ reshard: database.reshard }, () => describeReshard(database));
}

/** `db reshard`: a change of the number of shards, while it lasts. */
export const addDbReshard: AddCommand = (db, host) => {
  const reshard = db
    .command('reshard')
    .description('slots on their way to other shards: show, pause, resume, cancel')
    .helpCommand(false)
    .addHelpText('after', example('valkeeper db reshard show main'));
  for (const add of [addReshardShow, addReshardPause, addReshardResume, addReshardCancel]) add(reshard, host);
};
