/** Which slot a key belongs to: CRC16 (XMODEM) of the key, or of its hash tag, modulo 16384 (Valkey cluster specification). */
import { SLOT_COUNT, type SlotRange } from './slots.ts';

const POLYNOMIAL = 0x1021;

const TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ POLYNOMIAL) & 0xffff : (crc << 1) & 0xffff;
  return crc;
});

/** The slot of a key, 0 to 16383. The hash tag is what stands between the first `{` and the next `}`, unless empty. */
export function keySlot(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of new TextEncoder().encode(hashed)) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ byte]!;
  return crc % SLOT_COUNT;
}

/** Tries at most before giving up: with a single slot of 16384, one key in 16384 fits. */
const MAX_TRIES = 1_000_000;

/** The first of `prefix0`, `prefix1`, ... whose slot is in the ranges. @throws RangeError when the ranges are empty */
export function keyInSlots(prefix: string, ranges: readonly SlotRange[]): string {
  for (let number = 0; number < MAX_TRIES; number += 1) {
    const slot = keySlot(`${prefix}${number}`);
    if (ranges.some(([from, to]) => slot >= from && slot <= to)) return `${prefix}${number}`;
  }
  throw new RangeError(`no key with the prefix ${prefix} was found in the slots`);
}
