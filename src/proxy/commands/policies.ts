/** What the endpoint does with each command. */
import { COMMANDS } from './facts.ts';

export interface Policy {
  kind: 'route' | 'split' | 'all' | 'own' | 'refuse' | 'dedicated';
  /** One sentence for people: what happens with it at the endpoint. */
  about: string;
  /** What is promised when it touches several things at once. */
  atomicity: string;
  /** What to do instead of a command that is refused. */
  remedy?: string;
}

/** The policy of a command: `get` or `client|list`. @throws Error for a command that the engine does not have */
export function policyOf(name: string): Policy {
  const [command, subcommand] = name.split('|');
  const facts = COMMANDS.get(command!);
  if (!facts || (subcommand !== undefined && !facts.subcommands.has(subcommand))) throw new Error(`no command ${name}`);
  return { kind: 'route', about: 'Sent to the node that owns its keys.', atomicity: 'one slot: atomic' };
}
