/** `db connect`: valkey-cli on a database. The password travels in the environment, which other users cannot read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { text } from 'node:stream/consumers';
import { ValkeeperError } from '../../domain/errors.ts';
import { type AddCommand, action, example } from '../action.ts';
import type { Cli } from '../cli.ts';

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
  const { cliPath, serverPath } = await cli.host.engine();
  if (!cliPath) throw new ValkeeperError('no_cli', { engine: serverPath, name });
  const [endpoint] = clusterEndpoints;
  if (!endpoint) throw new ValkeeperError('no_node_answers', { name });
  await runEngineCli(cli, cliPath, ['-c', '-h', endpoint.host, '-p', `${endpoint.port}`, ...args], password);
}

async function runEngineCli(cli: Cli, path: string, args: string[], password: string | null): Promise<void> {
  const env = password === null ? process.env : { ...process.env, VALKEYCLI_AUTH: password, REDISCLI_AUTH: password };
  const child = spawn(path, args, { env, stdio: ['inherit', cli.json ? 'pipe' : 'inherit', 'inherit'] });
  // Ctrl-C belongs to valkey-cli, which shares the terminal.
  process.on('SIGINT', () => {});
  const output = child.stdout ? text(child.stdout) : Promise.resolve('');
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
  if (cli.json) cli.print({ exitCode, output: await output }, () => '');
  process.exitCode = exitCode;
}
