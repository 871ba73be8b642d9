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
    .description('the control plane, in the foreground; with --listen also for other machines')
    .option('--api-port <port>', 'port of the API on 127.0.0.1', integer('--api-port', { min: 1, max: 65_535 }))
    .option('--listen <address[:port]>', 'serve other machines there, over TLS (port 7440 unless said otherwise)')
    .addHelpText('after', example('valkeeper server --listen 10.0.0.1'))
    .action(action<ServerOptions>(host, (cli, options) => host.processes.server(cli.here(), options)));
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
    .option('--ports <from-to>', 'that nodes may get (default 7000-7999)', portRange('--ports', NODE_PORTS))
    .addOption(new Option('--machine <name>', 'a local machine, as in fleet.json').hideHelp())
    .addHelpText('after', example('valkeeper agent --join https://10.0.0.1:7440 --token TOKEN', 'valkeeper agent'))
    .action(action<AgentCommandOptions>(host, (cli, options) => host.processes.agent(cli.here(), options)));
};
