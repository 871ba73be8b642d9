/** The processes that hosts run: the control plane, and one agent each. `up` starts them where they are all on one. */
import { Option } from 'commander';
import { type AddCommand, action, example } from '../action.ts';
import { integer, labelled, portRange, serverUrls, size } from '../options.ts';
import type { AgentCommandOptions, ServerOptions } from '../process-options.ts';

/** A node's bus port is 10000 above, and ports end at 65535. */
const NODE_PORTS = { min: 1_024, max: 55_535 };

/** `server`. */
export const addServer: AddCommand = (program, host) => {
  program
    .command('server')
    .description('run the control plane, in the foreground; with --listen also for other machines')
    .option('--api-port <port>', 'port of the API on 127.0.0.1', integer('--api-port', { min: 1, max: 65_535 }))
    .option('--listen <address[:port]>', 'serve other machines there, over TLS (port 7440 unless said otherwise)')
    .option('--store <url>', 'etcd://HOST:PORT[,HOST:PORT...]/PREFIX: shared with other servers, one of which leads')
    .option('--store-ca <file>', 'who may have signed the certificates of an etcds:// store, PEM')
    .option('--store-cert <file>', 'our certificate for it, PEM')
    .option('--store-key <file>', 'the key of that, PEM')
    .option('--store-user-file <file>', 'our user of the store: one line NAME:PASSWORD')
    .option('--advertise <url>', 'where other servers and agents reach this one; where it listens without it')
    .option(
      '--lease <seconds>',
      'another server leads so long after the death of one; 6 without it',
      integer('--lease', { min: 2, max: 300 }),
    )
    .option('--backup-key-file <file>', 'backups are encrypted with its key (or VALKEEPER_BACKUP_KEY)')
    .addHelpText(
      'after',
      example(
        'valkeeper server --listen 10.0.0.1',
        'valkeeper server --listen 10.0.0.1 --store etcd://10.0.0.1:2379,10.0.0.2:2379/fleet',
      ),
    )
    .action(
      action<ServerOptions & { lease?: number }>(host, (cli, { lease, ...options }) =>
        host.processes.server(cli.here(), lease === undefined ? options : { ...options, leaseMs: lease * 1_000 }),
      ),
    );
};

/** `agent`. */
export const addAgent: AddCommand = (program, host) => {
  program
    .command('agent')
    .description('the agent of this machine, in the foreground; the first time with --join and --token')
    .option('--join <urls>', 'join the fleet of these servers, https://HOST:PORT[,...]', serverUrls('--join'))
    .option('--token <token>', 'of `valkeeper machine token create`')
    .option('--name <name>', 'name of the machine (default: the host name)')
    .option('--address <ip>', 'where its nodes listen (default: the address by which it reaches the server)')
    .option('--zone <zone>', 'machines that fail together (default: default)')
    .option('--label <label=value>', 'of your choosing; may be given several times', labelled('--label'))
    .option('--memory <size>', 'for nodes (default: 70 % of what this machine has)', size('--memory'))
    .option('--witness', 'take no nodes, only votes on what is to happen when a machine is lost')
    .option('--ports <from-to>', 'that nodes may get (default 7000-7999)', portRange('--ports', NODE_PORTS))
    .option(
      '--neighbour-port <port>',
      'where other agents reach this one; 0: any that is free (default 7450)',
      integer('--neighbour-port', { min: 0, max: 65_535 }),
    )
    .addOption(new Option('--machine <name>', 'a local machine, as in fleet.json').hideHelp())
    .addHelpText('after', example('valkeeper agent --join https://10.0.0.1:7440 --token TOKEN', 'valkeeper agent'))
    .action(action<AgentCommandOptions>(host, (cli, options) => host.processes.agent(cli.here(), options)));
};
