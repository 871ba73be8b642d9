/**
 * What the engine says about each of its commands: how many arguments, what kind of command, where its keys are. Two
 * tables are generated from a running engine (`npm run facts`) and compared with it by a test. A line of a table:
 *
 *     name arity flags keys...        mset -3 write,denyoom 1..-1/2
 *
 * Arity counts the name; negative: at least so many. `-` stands for no flags. Each of the keys says where some are:
 *
 *     1           the argument 1                       1..+1       the arguments 1 and 2
 *     1..-1       from 1 to the last (-2: without it)  1..-1/2     the same, every second one
 *     2#          argument 2 says how many follow it   1#/2        the same, each with a value behind it
 *     1~          no key, but it decides the slot as one would (a sharded channel)
 *     STORE@6     the one behind that word, which is looked for from argument 6 on (-2: from the last but one back)
 *     STREAMS@1..-1%2     behind that word, the first half of what is there
 *     ?           cannot be said like this
 *
 * Keywords are not looked for by what the tables say: `keys.ts` knows the commands that have them, and those with a `?`.
 */
import { COMMAND_TABLE } from './command-table.ts';
import { SUBCOMMAND_TABLE } from './subcommand-table.ts';

/** The flags of `COMMAND` that matter to who stands in front of an engine, as bits. */
export const FLAGS = {
  write: 1,
  readonly: 2,
  denyoom: 4,
  admin: 8,
  pubsub: 16,
  noscript: 32,
  blocking: 64,
  loading: 128,
  fast: 256,
  no_auth: 512,
  no_mandatory_keys: 1024,
  no_multi: 2048,
  movablekeys: 4096,
  allow_busy: 8192,
} as const;

export type FlagName = keyof typeof FLAGS;

/** Where some keys of a command are. */
export interface KeySpec {
  /** The first key; where they are counted, their number, which they follow. */
  begin: number;
  /** Whether the argument at the beginning says how many keys follow it; `last` means nothing then. */
  counted: boolean;
  /** The last key: relative to the first, or, if negative, to the end of the command. */
  last: number;
  step: number;
  /** It decides the slot without being a key. */
  notKey: boolean;
}

export interface CommandFacts {
  /** `get`, `client|list`. */
  name: string;
  /** As in the engine's documentation: `string`, `sorted-set`. */
  group: string;
  /** The number of arguments with the name (and the subcommand's); negative: at least so many. */
  arity: number;
  /** Bits of `FLAGS`. */
  flags: number;
  /** Without those that follow a keyword. */
  keys: readonly KeySpec[];
  /** By their names alone (`list`); empty for a command without. */
  subcommands: ReadonlyMap<string, CommandFacts>;
}

const KEY_SPEC = /^(?<begin>\d+)(?:(?<counted>#)|\.\.(?<last>[+-]\d+))?(?:\/(?<step>\d+))?(?<notKey>~)?$/;

/** By name, `get`; subcommands are within their commands. */
export const COMMANDS: ReadonlyMap<string, CommandFacts> = commandsOf(COMMAND_TABLE, SUBCOMMAND_TABLE);

/** Every command, each followed by its subcommands. */
export function* allCommands(): Generator<CommandFacts> {
  for (const command of COMMANDS.values()) {
    yield command;
    yield* command.subcommands.values();
  }
}

/** Whether the engine accepts so many arguments, the name counted; else it says so before it looks at anything else. */
export function fitsArity({ arity }: CommandFacts, argc: number): boolean {
  return arity < 0 ? argc >= -arity : argc === arity;
}

function commandsOf(commandTable: string, subcommandTable: string): Map<string, CommandFacts> {
  const subcommands = Map.groupBy(rowsOf(subcommandTable), ({ name }) => name.slice(0, name.indexOf('|')));
  const commands = rowsOf(commandTable).map((row): [string, CommandFacts] => {
    const own = subcommands.get(row.name) ?? [];
    return [row.name, { ...row, subcommands: new Map(own.map((one) => [one.name.slice(row.name.length + 1), one])) }];
  });
  return new Map(commands);
}

function rowsOf(table: string): CommandFacts[] {
  let group = '';
  return table
    .trim()
    .split('\n')
    .flatMap((line) => {
      if (!line.startsWith('[')) return [rowOf(line, group)];
      group = line.slice(1, -1);
      return [];
    });
}

function rowOf(line: string, group: string): CommandFacts {
  const [name, arity, flags, ...keys] = line.split(' ');
  const bits = flags === '-' ? [] : flags!.split(',').map((flag) => FLAGS[flag as FlagName]);
  return {
    name: name!,
    group,
    arity: Number(arity),
    flags: bits.reduce((sum, bit) => sum | bit, 0),
    keys: keys.flatMap(keySpecOf),
    subcommands: new Map(),
  };
}

function keySpecOf(text: string): KeySpec[] {
  if (text === '?' || text.includes('@')) return [];
  const parts = KEY_SPEC.exec(text)?.groups;
  if (!parts) throw new Error(`not where keys are: ${text}`);
  const { begin, counted, last, step, notKey } = parts;
  return [
    {
      begin: Number(begin),
      counted: counted !== undefined,
      last: Number(last ?? 0),
      step: Number(step ?? 1),
      notKey: notKey !== undefined,
    },
  ];
}
