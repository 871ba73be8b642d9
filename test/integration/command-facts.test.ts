/** What the endpoint knows about commands, compared with what a running engine says and does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { commandTables, type EngineCommand, engineCommands } from '../../scripts/command-tables.ts';
import { keySlot } from '../../src/domain/key-slot.ts';
import {
  allCommands,
  COMMANDS,
  type CommandFacts,
  FLAGS,
  type FlagName,
  fitsArity,
} from '../../src/proxy/commands/facts.ts';
import { keyPositions, slotPositions } from '../../src/proxy/commands/keys.ts';
import { ReplyError } from '../../src/resp/reply.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { testEngine } from '../support/engine.ts';
import { startEngine } from '../support/start-engine.ts';
import { EXAMPLES, ODD_EXAMPLES } from './command-examples.ts';

async function connect(t: TestContext, ...args: string[]): Promise<NodeConnection> {
  const { host, port } = await startEngine(t, { args });
  const connection = new NodeConnection({
    host,
    port,
    connectTimeoutMs: 5_000,
    commandTimeoutMs: 10_000,
    maxQueued: 10_000,
  });
  t.after(() => connection.close());
  return connection;
}

/** An example's arguments: words; `""` is an empty one, `␣` within one a space. */
const argumentsOf = (line: string): string[] =>
  line.split(' ').map((word) => (word === '""' ? '' : word.replaceAll('␣', ' ')));

function factsOf([name, subcommand]: readonly string[]): CommandFacts {
  const command = COMMANDS.get(name!.toLowerCase());
  assert.ok(command, `no facts about ${name}`);
  return command.subcommands.get(subcommand?.toLowerCase() ?? '') ?? command;
}

function located(args: readonly string[], positions: typeof keyPositions): string[] {
  const bytes = args.map((argument) => Buffer.from(argument));
  const at = (index: number): Buffer => {
    assert.ok(index >= 0 && index < args.length, `${args.join(' ')}: asked for argument ${index}`);
    return bytes[index]!;
  };
  return positions(factsOf(args), args.length, at).map((index) => args[index]!);
}

describe('facts about commands', () => {
  it('are what the engine says (else: npm run facts)', async (t) => {
    const connection = await connect(t);
    const { version } = await testEngine();
    const tables = commandTables(
      await connection.command('COMMAND'),
      await connection.command('COMMAND', 'DOCS'),
      version,
    );
    for (const [name, text] of tables) {
      assert.equal(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'), text);
    }
  });

  it('are read from the tables as they were written', async (t) => {
    const connection = await connect(t);
    const said = engineCommands(await connection.command('COMMAND'), await connection.command('COMMAND', 'DOCS'));
    const plain = ({ name, group, arity, flags }: EngineCommand): object => ({ name, group, arity, flags });
    const flagsOf = (bits: number): string[] =>
      (Object.keys(FLAGS) as FlagName[]).filter((flag) => (bits & FLAGS[flag]) !== 0);
    assert.deepEqual(
      [...allCommands()]
        .map(({ name, group, arity, flags }) => ({ name, group, arity, flags: flagsOf(flags) }))
        .sort(byName),
      said.flatMap((one) => [one, ...one.subcommands].map(plain)).sort(byName),
    );
  });

  it('know where the examples have their keys', async (t) => {
    const connection = await connect(t);
    const examples = EXAMPLES.map(argumentsOf);
    const replies = await connection.pipeline(examples.map((args) => ['COMMAND', 'GETKEYS', ...args]));
    const keys = replies.map((reply) => (reply instanceof ReplyError ? [] : reply));
    assert.deepEqual(
      examples.map((args) => [args.join(' '), located(args, keyPositions)]),
      examples.map((args, index) => [args.join(' '), keys[index]]),
    );
    assert.ok(examples.length >= 150);
    const unseen = [...allCommands()].filter(
      ({ name, flags, keys: { length } }) => (flags & FLAGS.movablekeys || length > 1) && !seen(name),
    );
    assert.deepEqual(
      unseen.map(({ name }) => name),
      [],
    );
  });

  it('know what decides the slot, malformed or not', async (t) => {
    // A node of a cluster that owns no slot tells three kinds apart: no keys (it runs), one slot, several slots.
    const connection = await connect(t, '--cluster-enabled', 'yes');
    const examples = [...EXAMPLES, ...ODD_EXAMPLES]
      .map(argumentsOf)
      .filter(([name]) => name !== 'MSETEX')
      .filter((args) => fitsArity(factsOf(args), args.length));
    const replies = await connection.pipeline(examples);
    assert.deepEqual(
      examples.map((args) => [args.join(' '), kindOf(args)]),
      examples.map((args, index) => [args.join(' '), kindSaid(replies[index])]),
    );
  });

  it('know the keys of MSETEX, which a node of a cluster does not look for: it writes them wherever it is sent', async (t) => {
    const connection = await connect(t, '--cluster-enabled', 'yes');
    assert.equal(await connection.command('MSETEX', '2', 'one', '1', 'two', '2'), 1);
    assert.deepEqual(located(['MSETEX', '2', 'one', '1', 'two', '2'], slotPositions), ['one', 'two']);
  });
});

const byName = (a: object, b: object): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const seen = (name: string): boolean => EXAMPLES.some((line) => factsOf(line.split(' ')).name === name);

type Kind = 'no keys' | 'one slot' | 'several slots';

function kindOf(args: readonly string[]): Kind {
  const slots = new Set(located(args, slotPositions).map((key) => keySlot(key)));
  return slots.size === 0 ? 'no keys' : slots.size === 1 ? 'one slot' : 'several slots';
}

function kindSaid(reply: unknown): Kind {
  if (!(reply instanceof ReplyError)) return 'no keys';
  if (reply.code === 'CROSSSLOT') return 'several slots';
  return reply.message.startsWith('CLUSTERDOWN Hash slot not served') ? 'one slot' : 'no keys';
}
