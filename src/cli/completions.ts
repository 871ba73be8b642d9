/** Completion scripts, made from the command tree: nothing of ours runs at a Tab, but for database names. */
import type { CompletionTree, Offer } from './completion-tree.ts';

/** The shells there is a script for; how each is read at the shell's start is in the help. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The script of each shell, without a line's end. */
export const COMPLETIONS: Record<Shell, (tree: CompletionTree) => string> = { bash, zsh, fish };

const NAMES = `db list --json 2>/dev/null | sed -n 's/^      "name": "\\(.*\\)",$/\\1/p'`;

const quoted = (words: string): string => `'${words}'`;
/** As `case` has alternatives in bash and zsh. */
const either = (words: readonly string[]): string => words.map(quoted).join('|');
/** An option of the program itself may follow any command. */
const after = (words: string): string => (words.startsWith(' ') ? `*${quoted(words)}` : quoted(words));

function bash({ commands, values, places }: CompletionTree): string {
  const say = ({ words, databases, paths }: Offer): string => {
    if (paths !== 'none') return `COMPREPLY=($(compgen -${paths === 'files' ? 'f' : 'd'} -- "$current")); return`;
    return `words="${[...words, ...(databases ? ['$(_valkeeper_databases)'] : [])].join(' ')}"`;
  };
  return `_valkeeper_databases() {
  "\${COMP_WORDS[0]}" ${NAMES}
}
_valkeeper() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' word words=''
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [ "$word" = -- ] && return
    case "\${path:+$path }$word" in ${either(commands)}) path="\${path:+$path }$word" ;; esac
  done
  case "$path $previous" in
    ${values.map(({ after: words, offer }) => `${after(words)}) ${say(offer)} ;;`).join('\n    ')}
    *) case "$path" in
      ${places.map(({ command, offer }) => `${quoted(command)}) ${say(offer)} ;;`).join('\n      ')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _valkeeper valkeeper`;
}

/** A word for each line. */
const ZSH_LINES = `\${(f)"$(_valkeeper_databases)"}`;

function zsh({ commands, values, places }: CompletionTree): string {
  const say = ({ words, databases, paths }: Offer): string => {
    if (paths !== 'none') return `_files${paths === 'files' ? '' : ' -/'}; return`;
    return `offered=(${[...words, ...(databases ? [ZSH_LINES] : [])].join(' ')})`;
  };
  // In zsh, \`path\` is PATH: the place has another name than in bash.
  return `#compdef valkeeper
_valkeeper_databases() {
  "\${words[1]}" ${NAMES}
}
_valkeeper() {
  local place='' word
  local -a offered
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -- ]] && return
    case "\${place:+$place }$word" in ${either(commands)}) place="\${place:+$place }$word" ;; esac
  done
  case "$place \${words[CURRENT-1]}" in
    ${values.map(({ after: words, offer }) => `${after(words)}) ${say(offer)} ;;`).join('\n    ')}
    *) case "$place" in
      ${places.map(({ command, offer }) => `${quoted(command)}) ${say(offer)} ;;`).join('\n      ')}
    esac ;;
  esac
  compadd -a offered
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _valkeeper valkeeper`;
}

function fish({ commands, values, places }: CompletionTree): string {
  const say = ({ words, databases, paths }: Offer): string => {
    if (paths === 'directories') return '__fish_complete_directories (commandline -ct)';
    if (paths === 'files') return '__fish_complete_path (commandline -ct)';
    const said = [
      ...(words.length > 0 ? [`printf '%s\\n' ${words.join(' ')}`] : []),
      ...(databases ? ['__valkeeper_databases $tokens[1]'] : []),
    ];
    return said.length > 0 ? said.join('; ') : 'true';
  };
  const cases = (indent: string, all: readonly { pattern: string; offer: Offer }[]): string =>
    all.map(({ pattern, offer }) => `${indent}case ${pattern}\n${indent}  ${say(offer)}`).join('\n');
  const ofValues = values.map(({ after: words, offer }) => ({
    pattern: quoted(words.startsWith(' ') ? `*${words}` : words),
    offer,
  }));
  const ofPlaces = places.map(({ command, offer }) => ({ pattern: quoted(command), offer }));
  return `function __valkeeper_databases
  $argv[1] ${NAMES}
end
function __valkeeper_offer
  set -l tokens (commandline -opc)
  set -l before $tokens
  set -e before[1]
  set -l place ''
  for word in $before
    test "$word" = --; and return
    switch (string trim -- "$place $word")
      case ${commands.map(quoted).join(' ')}
        set place (string trim -- "$place $word")
    end
  end
  switch "$place $tokens[-1]"
${cases('    ', ofValues)}
    case '*'
      switch "$place"
${cases('        ', ofPlaces)}
      end
  end
end
complete -c valkeeper -f -a '(__valkeeper_offer)'`;
}
