/** A completion script for bash, made from the command tree: nothing of ours runs at a Tab, but for database names. */
import type { Argument, Command, Option } from 'commander';

/** What may stand at a place: words, and perhaps the name of a database. */
interface Words {
  words: readonly string[];
  databases: boolean;
}

/** The script, without a line's end. */
export function bashCompletion(program: Command): string {
  const commands = visibleBelow(program, '');
  const everywhere = program.options.flatMap((option) => option.long ?? []).concat('--help');
  const paths = commands.flatMap(({ path }) => (path === '' ? [] : [pattern(path)]));
  const values = commands.flatMap(({ path, command }) =>
    command.options
      .filter(takesValue)
      .map((option) => `${pattern(`${path} ${option.long}`)}) ${say(valuesOf(option))} ;;`),
  );
  const places = commands.map(({ path, command }) => `${pattern(path)}) ${say(wordsAt(command, everywhere))} ;;`);
  return `_valkeeper_databases() {
  "\${COMP_WORDS[0]}" db list --json 2>/dev/null | sed -n 's/^      "name": "\\(.*\\)",$/\\1/p'
}
_valkeeper() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' word words=''
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [ "$word" = -- ] && return
    case "\${path:+$path }$word" in ${paths.join('|')}) path="\${path:+$path }$word" ;; esac
  done
  case "$path $previous" in
    *' --data-dir') COMPREPLY=($(compgen -d -- "$current")); return ;;
    ${values.join('\n    ')}
    *) case "$path" in
      ${places.join('\n      ')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _valkeeper valkeeper`;
}

const pattern = (words: string): string => `'${words}'`;

/** Sets `words` in the script. Our words need no quoting: letters, digits and hyphens. */
const say = ({ words, databases }: Words): string =>
  `words="${[...words, ...(databases ? ['$(_valkeeper_databases)'] : [])].join(' ')}"`;

/** The command and all below it that people see, by path. */
function visibleBelow(command: Command, path: string): { path: string; command: Command }[] {
  const children = childrenOf(command).flatMap((child) => visibleBelow(child, `${path} ${child.name()}`.trim()));
  return [{ path, command }, ...children];
}

const childrenOf = (command: Command): Command[] => [...command.createHelp().visibleCommands(command)];

function wordsAt(command: Command, everywhere: readonly string[]): Words {
  const [argument] = command.registeredArguments;
  const { words, databases } = argument ? valuesOf(argument) : { words: [], databases: false };
  const options = command.options.flatMap((option) => option.long ?? []);
  const below = childrenOf(command).map((child) => child.name());
  return { words: [...new Set([...below, ...words, ...options, ...everywhere])], databases };
}

const takesValue = (option: Option): boolean => option.required || option.optional;

/** The closed set it is parsed with, or the databases when it speaks of one. */
function valuesOf({ parseArg, description }: Pick<Option | Argument, 'parseArg' | 'description'>): Words {
  const { choices = [] } = (parseArg ?? {}) as { choices?: readonly string[] };
  return { words: choices, databases: /\bdatabase\b/.test(description) };
}
