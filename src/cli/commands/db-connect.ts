import { ValkeeperError } from '../../domain/errors.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';

/** `db connect`: valkey-cli on a database. */
export const addDbConnect: AddCommand = (db, host) => {
  db.command('connect')
    .argument('<name>', 'the database')
    .argument('[args...]', 'after `--`: passed to valkey-cli')
    .description('open valkey-cli on a database, or run one command there')
    .addHelpText('after', example('valkeeper db connect main', 'valkeeper db connect main -- SET greeting hello'))
    .action(action(host, (cli, _options, name, ...args) => connect(cli, name!, args)));
};

async function connect(cli: Cli, name: string, args: string[]): Promise<void> {
  if (cli.json && args.length === 0) {
    const remedy = `Give one, as in \`valkeeper db connect ${name} --json -- PING\`.`;
    throw new ValkeeperError('usage', { problem: 'with --json, db connect needs a command', remedy });
  }
  const [{ clusterEndpoints }, { password }] = await Promise.all([
    cli.client.database(name),
    cli.client.password(name),
  ]);
  const { cliPath, serverPath } = await cli.host.engine(cli.dataDir);
  if (!cliPath) throw new ValkeeperError('no_cli', { engine: serverPath, name });
  const [endpoint] = clusterEndpoints;
  if (!endpoint) throw new ValkeeperError('no_node_answers', { name });
  const { runEngineCli } = await import('../engine-cli.ts');
  await runEngineCli(cli, cliPath, ['-c', '-h', endpoint.host, '-p', `${endpoint.port}`, ...args], password);
}
