/** The data of a measurement: keys with numbers, and values whose text is chosen by what is measured. Pure. */
import { createHash, hash } from 'node:crypto';
import { keySlot } from '../../src/domain/key-slot.ts';

const VALUE_BYTES = 1_024;
/** In base64 half of a value. */
const CHANCE_BYTES = 384;
/** Six bits of chance in each character; the same for all programs. */
const FILLER = createHash('shake256', { outputLength: 98_304 }).update('filler').digest('base64');
/** As logs, documents and markup are: much of it was there before. */
const REPEATED = '{"state":"active","currency":"EUR","country":"DE","note":"nothing to be said of it"},'.repeat(12);
/** Values begin so many characters apart in it. */
const STEP = 7;

/**
 * `random`: no compression of single values makes it smaller, whichever way they travel. `half`: half is chance, of which
 * no other value has any, and half is the same everywhere, so that a backup compresses it about as it does real data.
 */
export type Text = 'random' | 'half';

/** The version of what is written before anything moves. */
export const FIRST_VERSION = 'first';

/** So many keys make so many bytes of values. */
export const keysFor = (bytes: number): number => Math.ceil(bytes / VALUE_BYTES);

export const keyOf = (number: number): string => `key:${number}`;

/** Another for every key and every version. */
export function valueFor(key: string, version: string, text: Text = 'random'): string {
  const head = `${key} ${version} `;
  const left = VALUE_BYTES - head.length;
  if (text === 'half') {
    const chance = hash('shake256', head, { outputEncoding: 'base64', outputLength: CHANCE_BYTES });
    return head + chance + REPEATED.slice(0, left - chance.length);
  }
  const from = keySlot(key) * STEP;
  return head + FILLER.slice(from, from + left);
}

/** It was written for this key, whatever its version. */
export const isValueFor = (key: string, value: string): boolean => value.startsWith(`${key} `);
