/** The keys of the play, the same each time. The first act writes them, the later ones read them. */

import { keySlot } from '../domain/key-slot.ts';
import type { SlotRange } from '../domain/slots.ts';

export const KEY_COUNT = 50_000;
export const VALUE_BYTES = 100;
/** Requests that are on their way at a time. */
export const IN_FLIGHT = 200;

/** Odd, so that multiplying by it maps no two numbers to one: consecutive numbers would spread all too evenly over slots. */
const SCATTER = 2_654_435_761;

/** The key of a number below KEY_COUNT. */
export const keyOf = (number: number): string => `order:${(Math.imul(number, SCATTER) >>> 0).toString(36)}`;

/** Its value: no two keys have the same. */
export const valueFor = (number: number): string => `value of order ${number} `.padEnd(VALUE_BYTES, '.');

/** The first number whose key lies in the slots. @throws RangeError when there is none */
export function numberIn(slots: readonly SlotRange[]): number {
  for (let number = 0; number < KEY_COUNT; number += 1) if (inSlots(keyOf(number), slots)) return number;
  throw new RangeError('none of the keys lies in these slots');
}

/** Whether the key lies in the slots. */
export function inSlots(key: string, slots: readonly SlotRange[]): boolean {
  const slot = keySlot(key);
  return slots.some(([from, to]) => slot >= from && slot <= to);
}

/** Runs `work` for each number of the dataset, IN_FLIGHT at a time; ends early, without an error, when the signal says so. */
export async function forEachNumber(
  signal: AbortSignal,
  work: (number: number) => Promise<void>,
  count: number = KEY_COUNT,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count && !signal.aborted) await work(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}
