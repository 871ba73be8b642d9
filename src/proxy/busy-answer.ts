/** Which commands a busy primary answers: those it would have a part in. */
import type { Call } from './call.ts';
import { FLAGS } from './commands/facts.ts';
import type { Home } from './home.ts';
import { slotOfKeys } from './routing.ts';

/** The error for a command that cannot be carried out because of a script; null when it can. */
export function busyAnswer(call: Call): string | null {
  const { command, home, session } = call;
  const { name, policy, facts } = command;
  if ((facts.flags & FLAGS.allow_busy) !== 0) return null;
  if (name === 'exec') {
    const error = session.transaction && errorAt(home, session.transaction.slot);
    return error && `EXECABORT Transaction discarded because of: ${error}`;
  }
  if (policy.kind === 'all' || policy.kind === 'split' || name === 'ping') return home.busy.error;
  if (policy.kind === 'own' && name.startsWith('client|')) return null;
  const found = slotOfKeys(call);
  return 'error' in found ? null : errorAt(home, found.slot);
}

const errorAt = ({ map, sender, busy }: Home, slot: number): string | null =>
  busy.errorAt(slot < 0 ? sender.home : map.owners[slot]!);
