/** Finds a command by the bytes of its name, without making a string of them. */
import { COMMANDS, type CommandFacts, FLAGS } from './facts.ts';
import { type Policy, policyOf } from './policies.ts';

/** What is known of a command, made once. */
export interface Command {
  readonly name: string;
  readonly facts: CommandFacts;
  readonly policy: Policy;
  /** Its own number, for counting. */
  readonly number: number;
  readonly readsOnly: boolean;
  /** One key, its first argument, and nothing special: the common way. */
  readonly isPlain: boolean;
  readonly minArgs: number;
  readonly maxArgs: number;
  readonly parent: Command | null;
  readonly subcommands: ReadonlyMap<string, Command>;
  /** Upper-case bytes of the name, to compare. */
  readonly bytes: Buffer;
}

let count = 0;

function commandOf(facts: CommandFacts, parent: Command | null): Command {
  const policy = policyOf(facts.name);
  const [key] = facts.keys;
  const single =
    facts.keys.length === 1 && key!.begin === 1 && key!.last === 0 && !key!.counted && !key!.notKey && parent === null;
  const isMovable = (facts.flags & (FLAGS.movablekeys | FLAGS.blocking)) !== 0;
  const command: Command & { subcommands: Map<string, Command> } = {
    name: facts.name,
    facts,
    policy,
    number: count++,
    readsOnly: (facts.flags & FLAGS.readonly) !== 0,
    isPlain: policy.kind === 'route' && single && !isMovable && facts.subcommands.size === 0,
    minArgs: Math.abs(facts.arity),
    maxArgs: facts.arity > 0 ? facts.arity : Number.MAX_SAFE_INTEGER,
    parent,
    subcommands: new Map(),
    bytes: Buffer.from(facts.name.toUpperCase()),
  };
  for (const [name, subcommand] of facts.subcommands) command.subcommands.set(name, commandOf(subcommand, command));
  return command;
}

const SIZE = 4096;
const table: (Command | undefined)[] = new Array(SIZE).fill(undefined);

/** A hash of a name in any case: `| 0x20` makes letters lower-case. */
function hash(bytes: Buffer, from: number, length: number): number {
  let sum = length;
  for (let at = from; at < from + length; at += 1) sum = (Math.imul(sum, 31) + (bytes[at]! | 0x20)) | 0;
  return (sum ^ (sum >>> 12)) & (SIZE - 1);
}

for (const facts of COMMANDS.values()) {
  const command = commandOf(facts, null);
  let at = hash(command.bytes, 0, command.bytes.length);
  while (table[at] !== undefined) at = (at + 1) & (SIZE - 1);
  table[at] = command;
}

/** Commands and subcommands, for counting: one more than the highest number. */
export const COMMAND_COUNT = count;

/** The engine's groups of commands by the command's number: `string`, `sorted-set`, ... */
export const commandGroups = (): string[] => {
  const groups: string[] = [];
  for (const command of table) {
    if (!command) continue;
    groups[command.number] = command.facts.group;
    for (const subcommand of command.subcommands.values()) groups[subcommand.number] = subcommand.facts.group;
  }
  return groups;
};

/** The command of that name, in any case; undefined when the engine has none. */
export function findCommand(bytes: Buffer, from: number, length: number): Command | undefined {
  let at = hash(bytes, from, length);
  for (let command = table[at]; command !== undefined; command = table[at]) {
    if (isName(command.bytes, bytes, from, length)) return command;
    at = (at + 1) & (SIZE - 1);
  }
  return undefined;
}

function isName(name: Buffer, bytes: Buffer, from: number, length: number): boolean {
  if (name.length !== length) return false;
  for (let index = 0; index < length; index += 1) {
    const byte = bytes[from + index]!;
    if ((byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte) !== name[index]) return false;
  }
  return true;
}
