import { type AddCommand, action, example } from '../action.ts';
import { integer } from '../options.ts';
import type { UpOptions } from '../process-options.ts';

/** A machine needs an address of its own in the last part of 127.x.y.z. */
const MACHINES = { min: 1, max: 200 };

/** `up`: starts everything and makes the first database; on a running directory, shows its state. */
export const addUp: AddCommand = (program, host) => {
  program
    .command('up')
    .description('start Valkeeper here, with a first database `main`')
    .option('--foreground', 'stay attached; Ctrl-C stops everything')
    .option('--no-auth', 'make `main` without a password')
    .option('--machines <n>', 'local machines, when the directory is new (default 3)', integer('--machines', MACHINES))
    .option('--address-base <ip>', 'address of the first machine, when the directory is new (default 127.0.0.11)')
    .option(
      '--api-port <port>',
      'port of the API (default 7420 or the next free)',
      integer('--api-port', { min: 1, max: 65_535 }),
    )
    .option('--timeout <seconds>', 'how long to wait until ready', integer('--timeout', { min: 1, max: 86_400 }), 120)
    .addHelpText('after', example('valkeeper up', 'valkeeper up --data-dir /srv/valkeeper --foreground'))
    .action(
      action<Omit<UpOptions, 'timeoutMs'> & { timeout: number }>(host, (cli, { timeout, ...options }) =>
        host.processes.up(cli.here(), { ...options, timeoutMs: timeout * 1000 }),
      ),
    );
};
