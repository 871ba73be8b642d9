import { type AddCommand, action, example } from '../action.ts';
import { integer } from '../options.ts';

/** `logs`: the last lines of a log. */
export const addLogs: AddCommand = (program, host) => {
  program
    .command('logs')
    .argument('[source]', '`server`, a machine, or a node id or the beginning of one', 'server')
    .description('print the last lines of a log')
    .option('--lines <n>', 'how many', integer('--lines', { min: 1, max: 10_000 }), 50)
    .addHelpText('after', example('valkeeper logs', 'valkeeper logs machine-1 --lines 20'))
    .action(
      action<{ lines: number }>(host, async (cli, { lines }, source) => {
        const log = await cli.client.log(source!, lines);
        cli.print(log, () => log.text.trimEnd());
      }),
    );
};
