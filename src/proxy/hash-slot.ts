/** The slot of a key that lies in a buffer: as `keySlot` of the domain, without making a string of it. */
import { SLOT_COUNT } from '../domain/slots.ts';

const OPEN = 0x7b;
const CLOSE = 0x7d;
const POLYNOMIAL = 0x1021;
/** What a byte adds to the sum when 0, 1, 2 or 3 bytes follow: so four bytes need no more than one after the other. */
const LAST = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ POLYNOMIAL) & 0xffff : (crc << 1) & 0xffff;
  return crc;
});
const followed = (table: Uint16Array): Uint16Array => table.map((crc) => ((crc << 8) & 0xffff) ^ LAST[crc >> 8]!);
const THIRD = followed(LAST);
const SECOND = followed(THIRD);
const FIRST = followed(SECOND);

/** The slot of the key from `from` up to `to`. */
export function slotOf(bytes: Buffer, from: number, to: number): number {
  let crc = 0;
  let at = from;
  for (const last = to - 3; at < last; at += 4) {
    const a = bytes[at]!;
    const b = bytes[at + 1]!;
    const c = bytes[at + 2]!;
    const d = bytes[at + 3]!;
    if (a === OPEN || b === OPEN || c === OPEN || d === OPEN) return slotOfTagged(bytes, from, to);
    crc = FIRST[(crc >> 8) ^ a]! ^ SECOND[(crc & 0xff) ^ b]! ^ THIRD[c]! ^ LAST[d]!;
  }
  for (; at < to; at += 1) {
    if (bytes[at] === OPEN) return slotOfTagged(bytes, from, to);
    crc = ((crc << 8) & 0xffff) ^ LAST[(crc >> 8) ^ bytes[at]!]!;
  }
  return crc & (SLOT_COUNT - 1);
}

/** Of a key with a brace: what stands between the first `{` and the next `}`, unless it is nothing, counts alone. */
function slotOfTagged(bytes: Buffer, from: number, to: number): number {
  let open = from;
  while (bytes[open] !== OPEN) open += 1;
  let close = open + 1;
  while (close < to && bytes[close] !== CLOSE) close += 1;
  const isTag = close < to && close > open + 1;
  const end = isTag ? close : to;
  let crc = 0;
  for (let at = isTag ? open + 1 : from; at < end; at += 1)
    crc = ((crc << 8) & 0xffff) ^ LAST[(crc >> 8) ^ bytes[at]!]!;
  return crc & (SLOT_COUNT - 1);
}
