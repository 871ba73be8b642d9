/**
 * MSETEX: a node of a cluster carries it out for slots that are not its own, and says nothing. So it is sent by our own
 * reading of its keys, in a transaction with a command that the node does refuse when the slot has moved away.
 */
import type { Call, Handler } from '../call.ts';
import { slotOfKeys } from '../routing.ts';
import { guardOf, newTransaction, Run } from './transactions.ts';

const msetex: Handler = (call) => {
  if (lacksValues(call)) return call.forward(-1); // the engine says what is wrong, and writes nothing
  const found = slotOfKeys(call);
  if ('error' in found) return call.error(found.error);
  if (found.slot < 0) return call.forward(-1);
  const key = Buffer.from(call.arg(found.key));
  const transaction = { ...newTransaction(), frames: [call.frame()], slot: found.slot, key, guard: guardOf(key) };
  new Run(call.client, transaction, null, true).begin();
};

/** MSETEX numkeys key value ...: a key without a value is found before the keys are looked at. */
const lacksValues = (call: Call): boolean => call.argc > 1 && 2 + 2 * Number(call.text(1)) > call.argc;

export const MSETEX_HANDLERS: Readonly<Record<string, Handler>> = { msetex };
