/** The data that is moved: keys with numbers, and values that no compression makes smaller, whichever way they travel. Pure. */
import { createHash } from 'node:crypto';
import { keySlot } from '../../src/domain/key-slot.ts';

const VALUE_BYTES = 1_024;
/** Six bits of chance in each character; the same for all programs. */
const FILLER = createHash('shake256', { outputLength: 98_304 }).update('filler').digest('base64');
/** Values begin so many characters apart in it. */
const STEP = 7;

/** The version of what is written before anything moves. */
export const FIRST_VERSION = 'first';

/** So many keys make so many bytes of values. */
export const keysFor = (bytes: number): number => Math.ceil(bytes / VALUE_BYTES);

export const keyOf = (number: number): string => `key:${number}`;

/** Another for every key and every version. */
export function valueFor(key: string, version: string): string {
  const head = `${key} ${version} `;
  const from = keySlot(key) * STEP;
  return head + FILLER.slice(from, from + VALUE_BYTES - head.length);
}

/** It was written for this key, whatever its version. */
export const isValueFor = (key: string, value: string): boolean => value.startsWith(`${key} `);
