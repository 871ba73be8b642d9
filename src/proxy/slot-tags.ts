/** For each slot a short text that lies in it: to name a slot where the engine wants a key. */
import { SLOT_COUNT } from '../domain/slots.ts';
import { slotOf } from './hash-slot.ts';

let tags: readonly string[] | null = null;

/** The text of a slot: the same in every process. All are found with the first that is asked for. */
export function tagOf(slot: number): string {
  tags ??= findTags();
  return tags[slot]!;
}

function findTags(): string[] {
  const found = new Array<string>(SLOT_COUNT);
  for (let number = 0, missing = SLOT_COUNT; missing > 0; number += 1) {
    const text = number.toString(36);
    const bytes = Buffer.from(text, 'latin1');
    const slot = slotOf(bytes, 0, bytes.length);
    if (found[slot] !== undefined) continue;
    found[slot] = text;
    missing -= 1;
  }
  return found;
}
