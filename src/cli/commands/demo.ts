import { type AddCommand, action, example } from '../action.ts';

/** `demo`: the notes on scaling as a play, on a fleet of its own. */
export const addDemo: AddCommand = (program, host) => {
  program
    .command('demo')
    .description('the notes on scaling as a play with figures, on a temporary fleet of its own')
    .option('--keep', 'leave that fleet running afterwards', false)
    .addHelpText('after', example('valkeeper demo', 'valkeeper demo --json'))
    .action(action<{ keep: boolean }>(host, (cli, options) => host.processes.demo(cli.here(), options)));
};
