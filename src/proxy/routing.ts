/** Commands with keys of any number and place: to the owner of their slot, when they have one. */
import type { Call } from './call.ts';
import { slotPositions } from './commands/keys.ts';
import { slotOf } from './hash-slot.ts';

/** The slot of all keys; -1 without a key; or the error that names two keys of different slots. */
export function slotOfKeys(call: Call): { slot: number; key: number } | { error: string } {
  const positions = slotPositions(call.command.facts, call.argc, (index) => call.arg(index));
  let slot = -1;
  for (const index of positions) {
    const start = call.startOf(index);
    const other = slotOf(call.bytes, start, start + call.lengthOf(index));
    if (slot >= 0 && other !== slot) return { error: crossSlot(call.arg(positions[0]!), call.arg(index)) };
    slot = other;
  }
  return { slot, key: positions[0] ?? -1 };
}

const SHOWN_BYTES = 64;

/** The error for keys in different slots. It begins as the engine's does. */
export function crossSlot(one: Buffer, other: Buffer): string {
  const show = (key: Buffer): string => JSON.stringify(key.toString('utf8', 0, SHOWN_BYTES));
  return `CROSSSLOT Keys in request don't hash to the same slot: ${show(one)} and ${show(other)}. Give both the same {tag}: keys with the same text in braces share a slot`;
}

/** Sends the command to where its keys are; without a key to one primary. */
export function routeByKeys(call: Call): void {
  const found = slotOfKeys(call);
  if ('error' in found) call.error(found.error);
  else call.forward(found.slot);
}
