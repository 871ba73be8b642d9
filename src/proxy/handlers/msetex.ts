/**
 * MSETEX: a node of a cluster carries it out for slots that are not its own, and says nothing. So it is sent by our own
 * reading of its keys, in a transaction with a command that the node does refuse when the slot has moved away.
 */
import type { Handler } from '../call.ts';
import { slotOfKeys } from '../routing.ts';
import { guardOf, newTransaction, Run } from './transactions.ts';

const msetex: Handler = (call) => {
  const found = slotOfKeys(call);
  if ('error' in found) return call.error(found.error);
  if (found.slot < 0) return call.forward(-1); // malformed: the engine says how, and writes nothing
  const key = Buffer.from(call.arg(found.key));
  const transaction = { ...newTransaction(), frames: [call.frame()], slot: found.slot, key, guard: guardOf(key) };
  new Run(call.client, transaction, null, true).begin();
};

export const MSETEX_HANDLERS: Readonly<Record<string, Handler>> = { msetex };
