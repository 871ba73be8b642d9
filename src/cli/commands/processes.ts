/** The processes that `up` starts. The agent is hidden from the help: people need it only to look into trouble. */
import { type AddCommand, action, example } from '../action.ts';
import { integer } from '../options.ts';
import type { ServerOptions } from '../process-options.ts';

/** `server`. */
export const addServer: AddCommand = (program, host) => {
  program
    .command('server')
    .description('run the control plane, in the foreground; one of several with --store')
    .option('--api-port <port>', 'port of the API', integer('--api-port', { min: 1, max: 65_535 }))
    .option('--listen <host>', 'address that the API listens on; 127.0.0.1 without it')
    .option('--store <url>', 'etcd://HOST:PORT[,HOST:PORT...]/PREFIX: shared with other servers, one of which leads')
    .option('--store-ca <file>', 'who may have signed the certificates of an etcds:// store, PEM')
    .option('--store-cert <file>', 'our certificate for it, PEM')
    .option('--store-key <file>', 'the key of that, PEM')
    .option('--store-user-file <file>', 'our user of the store: one line NAME:PASSWORD')
    .option('--advertise <url>', 'where other servers and agents reach the API; its own address without it')
    .option(
      '--lease <seconds>',
      'another server leads so long after the death of one; 6 without it',
      integer('--lease', { min: 2, max: 300 }),
    )
    .addHelpText(
      'after',
      example(
        'valkeeper server',
        'valkeeper server --listen 10.0.0.1 --store etcd://10.0.0.1:2379,10.0.0.2:2379/fleet',
      ),
    )
    .action(
      action<ServerOptions & { lease?: number }>(host, (cli, { lease, ...options }) =>
        host.processes.server(cli, lease === undefined ? options : { ...options, leaseMs: lease * 1_000 }),
      ),
    );
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
