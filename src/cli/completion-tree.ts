/** What may be typed where, read from the command tree: the ground of the completion scripts of all shells. */
import type { Argument, Command, Option } from 'commander';

/** What may stand at a place: words, and perhaps the name of a database, of a file or of a directory. */
export interface Offer {
  words: readonly string[];
  databases: boolean;
  paths: 'none' | 'files' | 'directories';
}

export interface CompletionTree {
  /** Every command but the first word, such as `db` and `db create`. */
  commands: readonly string[];
  /** What may follow an option that takes a value: `--data-dir` anywhere, or an option behind its command. */
  values: readonly { after: string; offer: Offer }[];
  /** What may follow a command, `''` for the first word. */
  places: readonly { command: string; offer: Offer }[];
}

/** The tree of all that people see. Our words need no quoting in any shell: letters, digits and hyphens. */
export function completionTree(program: Command): CompletionTree {
  const all = visibleBelow(program, '');
  const everywhere = program.options.flatMap((option) => option.long ?? []).concat('--help');
  return {
    commands: all.flatMap(({ path }) => (path === '' ? [] : [path])),
    values: all.flatMap(({ path, command }) =>
      command.options.filter(takesValue).flatMap((option) =>
        namesOf(option).map((name) => ({
          after: `${path} ${name}`,
          offer: { ...valuesOf(option), paths: pathsOf(option) },
        })),
      ),
    ),
    places: all.map(({ path, command }) => ({ command: path, offer: offerAt(command, everywhere) })),
  };
}

function visibleBelow(command: Command, path: string): { path: string; command: Command }[] {
  const children = childrenOf(command).flatMap((child) => visibleBelow(child, `${path} ${child.name()}`.trim()));
  return [{ path, command }, ...children];
}

const childrenOf = (command: Command): Command[] => [...command.createHelp().visibleCommands(command)];

function offerAt(command: Command, everywhere: readonly string[]): Offer {
  const [argument] = command.registeredArguments;
  const { words, databases } = argument ? valuesOf(argument) : { words: [], databases: false };
  const options = command.options.flatMap(({ hidden, long }) => (hidden ? [] : (long ?? [])));
  const below = childrenOf(command).map((child) => child.name());
  return { words: [...new Set([...below, ...words, ...options, ...everywhere])], databases, paths: 'none' };
}

const takesValue = (option: Option): boolean => option.required || option.optional;

const namesOf = ({ long, short }: Option): string[] => [long, short].filter((name) => name !== undefined);

const pathsOf = ({ flags }: Option): Offer['paths'] =>
  flags.endsWith('<file>') ? 'files' : flags.endsWith('<dir>') ? 'directories' : 'none';

/** The closed set it is parsed with, or the databases when it speaks of one. */
function valuesOf({
  parseArg,
  description,
}: Pick<Option | Argument, 'parseArg' | 'description'>): Omit<Offer, 'paths'> {
  const { choices = [] } = (parseArg ?? {}) as { choices?: readonly string[] };
  return { words: choices, databases: /\bdatabase\b/.test(description) };
}
