/** Running valkey-cli. The password travels in the environment, which other users cannot read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { text } from 'node:stream/consumers';
import type { Cli } from './cli.ts';

/** On our terminal, or with --json into a document. Its exit code becomes ours. */
export async function runEngineCli(cli: Cli, path: string, args: string[], password: string | null): Promise<void> {
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
