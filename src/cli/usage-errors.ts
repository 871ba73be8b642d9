/** Commander's complaints as errors of ours: what was typed wrong, what was probably meant, where the help is. */
import type { Command, CommanderError } from 'commander';
import { ValkeeperError } from '../domain/errors.ts';

/** The usage error for a complaint about one command, such as `error: unknown option '--shard'\n(Did you mean --shards?)`. */
export function usageError({ message }: CommanderError, command: Command): ValkeeperError {
  const [first = '', ...rest] = message.replace(/^error: /, '').split('\n');
  const meant = rest.find((line) => line.startsWith('('))?.slice(1, -1);
  const help = `See \`${fullName(command)} --help\`.`;
  const problem = message === '(outputHelp)' ? `${fullName(command)} needs a command` : first.replace(/\.$/, '');
  return new ValkeeperError('usage', { problem, remedy: meant ? `${meant} ${help}` : help });
}

const fullName = (command: Command): string =>
  command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
