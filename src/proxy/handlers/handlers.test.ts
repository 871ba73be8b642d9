import assert from 'node:assert/strict';
import { it } from 'node:test';
import { allCommands, type CommandFacts, FLAGS } from '../commands/facts.ts';
import { POLICIES, policyOf } from '../commands/policies.ts';
import { HANDLERS } from './handlers.ts';

/** What can be called: a container by itself is an error. */
const callable = ({ subcommands, arity }: CommandFacts): boolean => subcommands.size === 0 || arity === -1;
const commands = [...allCommands()].filter(callable);
const handled = new Set(['split', 'own', 'all', 'dedicated']);

it('has a handler for every command that is not simply routed or refused', () => {
  const missing = commands.filter(({ name }) => handled.has(policyOf(name).kind) && !(name in HANDLERS));
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
});

it('has no handler for what is routed, refused or unknown', () => {
  const names = new Set(commands.map(({ name }) => name));
  const idle = Object.keys(HANDLERS).filter((name) => !names.has(name) || !handled.has(policyOf(name).kind));
  assert.deepEqual(idle, []);
});

it('routes only commands that can have keys, unless their policy says so', () => {
  const { movablekeys, no_mandatory_keys } = FLAGS;
  const keyless = commands.filter(
    ({ name, keys, flags }) =>
      !(name in POLICIES) &&
      !name.endsWith('|help') &&
      keys.length === 0 &&
      !(flags & (movablekeys | no_mandatory_keys)),
  );
  assert.deepEqual(
    keyless.map(({ name }) => name),
    [],
  );
});

it('says what to do instead of whatever is refused', () => {
  for (const [name, { kind, remedy }] of Object.entries(POLICIES)) {
    assert.equal(kind === 'refuse', remedy !== undefined, name);
  }
});
