/** What the endpoint does with each command, as a page for people. */
import { allCommands, type CommandFacts } from '../src/proxy/commands/facts.ts';
import { type Policy, policyOf } from '../src/proxy/commands/policies.ts';

const KINDS: Record<Policy['kind'], string> = {
  route: 'sent to the node that owns its keys',
  split: 'split by the owners of its keys, the answers merged',
  all: 'sent to every shard, the answers merged',
  own: 'answered by the endpoint',
  dedicated: 'sent over a connection to a node that belongs to this client for as long',
  refuse: 'refused, with the reason and what to do instead',
};

/** Text of docs/commands.md. */
export function renderCommands(): string {
  const groups = [...Map.groupBy([...allCommands()].filter(standsAlone), ({ group }) => group)].sort();
  return [
    '# Commands at the endpoint',
    'Every command of the engine has a policy: what the endpoint does with it so that the whole database looks like one\n' +
      'server, and what is atomic then. Keys with the same `{tag}` are in one slot.\n\n' +
      'This page is generated from `src/proxy/commands/` by `npm run docs`.',
    ['| Policy | Meaning |', '|---|---|', ...Object.entries(KINDS).map(([kind, it]) => `| ${kind} | ${it} |`)].join(
      '\n',
    ),
    ...groups.map(([group, commands]) => [`## ${titleOf(group)}`, table(commands)].join('\n\n')),
  ]
    .join('\n\n')
    .concat('\n');
}

/** The name of a container says nothing without a subcommand; only COMMAND does. */
const standsAlone = ({ subcommands, arity }: CommandFacts): boolean => subcommands.size === 0 || arity === -1;

const titleOf = (group: string): string => `${group[0]!.toUpperCase()}${group.slice(1).replace('-', ' ')}`;

function table(commands: readonly CommandFacts[]): string {
  return ['| Command | Policy | At the endpoint | Atomicity |', '|---|---|---|---|', ...commands.map(row)].join('\n');
}

function row({ name }: CommandFacts): string {
  const { kind, about, atomicity, remedy } = policyOf(name);
  const cells = [
    `\`${name.toUpperCase().replace('|', ' ')}\``,
    kind,
    remedy === undefined ? about : `${about} ${remedy}`,
    atomicity,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
