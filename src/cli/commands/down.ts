import { type AddCommand, action, example } from '../action.ts';

/** `down`: stops everything and keeps the data. */
export const addDown: AddCommand = (program, host) => {
  program
    .command('down')
    .description('stop everything that runs here and keep the data')
    .option('--yes', 'do not ask, although a database keeps nothing on disk')
    .addHelpText('after', example('valkeeper down'))
    .action(action<{ yes?: boolean }>(host, (cli, { yes }) => host.processes.down(cli.here(), { yes: yes ?? false })));
};
