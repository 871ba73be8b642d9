import { type AddCommand, action, example } from '../action.ts';
import { integer } from '../options.ts';

interface Options {
  machine?: string;
  drain: number;
}

/** `endpoint restart`: replaces endpoint processes without refusing or losing anything. */
export const addEndpointRestart: AddCommand = (endpoint, host) => {
  endpoint
    .command('restart')
    .description('replace the endpoint processes; successors take over the ports, and no command is lost')
    .option('--machine <name>', 'only the endpoint of this machine')
    .option(
      '--drain <seconds>',
      'how long old connections may last at most (default 30)',
      integer('--drain', { min: 0, max: 3_600 }),
      30,
    )
    .addHelpText(
      'after',
      example('valkeeper endpoint restart', 'valkeeper endpoint restart --machine machine-1 --drain 5'),
    )
    .action(
      action<Options>(host, async (cli, { machine, drain }) => {
        const done = await cli.client.restartEndpoints({
          ...(machine === undefined ? {} : { machine }),
          drainSeconds: drain,
        });
        cli.print(done, () =>
          done.machines.length === 0 ? 'No endpoint runs.' : `Replaced the endpoint of ${done.machines.join(', ')}.`,
        );
      }),
    );
};
