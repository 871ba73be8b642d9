import { join } from 'node:path';
import { ValkeeperError } from '../../domain/errors.ts';
import { writeFileAtomic } from '../../platform/files.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';

interface Options {
  direct?: boolean;
  user?: string;
}

/** `db connect`: valkey-cli on a database. */
export const addDbConnect: AddCommand = (db, host) => {
  db.command('connect')
    .argument('<name>', 'the database')
    .argument('[args...]', 'after `--`: passed to valkey-cli')
    .option('--direct', 'connect to the nodes, as cluster clients do, not to the endpoint')
    .option('--user <name>', 'as this user (default default)')
    .description('open valkey-cli on a database, or run one command there')
    .addHelpText('after', example('valkeeper db connect main', 'valkeeper db connect main -- SET greeting hello'))
    .action(action<Options>(host, (cli, options, name, ...args) => connect(cli, options, name!, args)));
};

async function connect(cli: Cli, { direct = false, user }: Options, name: string, args: string[]): Promise<void> {
  if (cli.json && args.length === 0) {
    const remedy = `Give one, as in \`valkeeper db connect ${name} --json -- PING\`.`;
    throw new ValkeeperError('usage', { problem: 'with --json, db connect needs a command', remedy });
  }
  const [{ endpoint, clusterEndpoints, spec }, { password }] = await Promise.all([
    cli.client.database(name),
    cli.client.password(name, user),
  ]);
  const { cliPath, serverPath } = await cli.host.engine(cli.dataDir);
  if (!cliPath) throw new ValkeeperError('no_cli', { engine: serverPath, name });
  const address = direct ? clusterEndpoints[0] : (endpoint ?? clusterEndpoints[0]);
  if (!address) throw new ValkeeperError('no_node_answers', { name });
  const as = user === undefined ? [] : ['--user', user];
  const tls = address === endpoint && spec.tls === 'required' ? ['--tls', '--cacert', await caFile(cli)] : [];
  const { runEngineCli } = await import('../engine-cli.ts');
  await runEngineCli(
    cli,
    cliPath,
    [...(address === endpoint ? [] : ['-c']), ...as, ...tls, '-h', address.host, '-p', `${address.port}`, ...args],
    password,
  );
}

/** valkey-cli reads the authority from a file. */
async function caFile(cli: Cli): Promise<string> {
  const path = join(cli.dataDir, 'ca.pem');
  await writeFileAtomic(path, (await cli.client.authorities()).pem);
  return path;
}
