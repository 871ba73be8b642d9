/** The processes that `up` starts. Hidden from the help: people need them only to look into trouble. */
import { type AddCommand, action, example } from '../action.ts';
import { integer } from '../options.ts';

/** `server`. */
export const addServer: AddCommand = (program, host) => {
  program
    .command('server', { hidden: true })
    .description('the control plane, in the foreground')
    .option('--api-port <port>', 'port of the API', integer('--api-port', { min: 1, max: 65_535 }))
    .addHelpText('after', example('valkeeper server'))
    .action(action<{ apiPort?: number }>(host, (cli, options) => host.processes.server(cli, options)));
};

/** `agent`. */
export const addAgent: AddCommand = (program, host) => {
  program
    .command('agent', { hidden: true })
    .description('the agent of one local machine, in the foreground')
    .requiredOption('--machine <name>', 'the machine, as in fleet.json')
    .addHelpText('after', example('valkeeper agent --machine machine-1'))
    .action(action<{ machine: string }>(host, (cli, options) => host.processes.agent(cli, options)));
};
