/**
 * The cursor of SCAN over a whole cluster: a number that says all there is to know, so that any endpoint can go on.
 *
 *     bits 0-13   the slot
 *     bits 14-27  which hash function the place within the slot belongs to, in short; 0: the slot begins
 *     bits 28-    the place within the slot's table
 *
 * It stays below 2^53 as long as no slot's table has more than 2^25 buckets. Nodes name their hash function in the
 * cursors of CLUSTERSCAN, 36 bits of it, and begin a slot anew when it is another's: nothing is missed, some keys come
 * twice. All nodes of a database are given one hash seed, so that this happens only to databases that were made before.
 */
import { SLOT_COUNT } from '../domain/slots.ts';
import { slotOf } from './hash-slot.ts';
import { tagOf } from './slot-tags.ts';

const SLOT_BITS = 14n;
const SHORT_BITS = 14n;
const SLOT_MASK = (1n << SLOT_BITS) - 1n;
const SHORT_MASK = (1n << SHORT_BITS) - 1n;

export interface ScanPlace {
  slot: number;
  /** Of the hash function; 0 at the beginning of a slot. */
  short: number;
  place: bigint;
}

export const startOfSlot = (slot: number): ScanPlace => ({ slot, short: 0, place: 0n });

/** The place that a client's cursor means; null when it is none. */
export function parseCursor(text: string): ScanPlace | null {
  if (!/^\d{1,20}$/.test(text)) return null;
  const value = BigInt(text);
  if (value >= 1n << 64n) return null;
  return {
    slot: Number(value & SLOT_MASK),
    short: Number((value >> SLOT_BITS) & SHORT_MASK),
    place: value >> (SLOT_BITS + SHORT_BITS),
  };
}

export const cursorOf = ({ slot, short, place }: ScanPlace): string =>
  String((place << (SLOT_BITS + SHORT_BITS)) | (BigInt(short) << SLOT_BITS) | BigInt(slot));

/** As CLUSTERSCAN wants it; `print` is the hash function's whole name, undefined: the slot is begun anew. */
export function nodeCursor({ slot, place }: ScanPlace, print: string | undefined): string {
  if (print === undefined) return `0-{${tagOf(slot)}}-0`;
  return `${print}-{${tagOf(slot)}}-${(place << SLOT_BITS) | BigInt(slot)}`;
}

/** What CLUSTERSCAN answered; null at the end of all. */
export function parseNodeCursor(cursor: Buffer): (ScanPlace & { print: string }) | null {
  const text = cursor.toString('latin1');
  if (text === '0') return null;
  const parts = /^(?<print>[^-]+)-\{(?<tag>.*)\}-(?<local>\d+)$/.exec(text)?.groups;
  if (!parts) throw new Error(`not a cursor of CLUSTERSCAN: ${text}`);
  const { print, tag, local } = parts as { print: string; tag: string; local: string };
  const bytes = Buffer.from(tag, 'latin1');
  const slot = slotOf(bytes, 0, bytes.length) % SLOT_COUNT;
  if (print === '0') return { ...startOfSlot(slot), print };
  return { slot, short: shortOf(print), place: BigInt(local) >> SLOT_BITS, print };
}

/** Six characters of six bits each, in fourteen bits that are never 0. */
function shortOf(print: string): number {
  let value = 0;
  for (const character of print) value = (Math.imul(value, 64) + character.charCodeAt(0) - 0x30) | 0;
  return (value ^ (value >>> 14) ^ (value >>> 28)) & Number(SHORT_MASK) || 1;
}
