/** The slot of a key that lies in a buffer: as `keySlot` of the domain, without making a string of it. */
import { SLOT_COUNT } from '../domain/slots.ts';

const OPEN = 0x7b;
const CLOSE = 0x7d;
const POLYNOMIAL = 0x1021;
const TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ POLYNOMIAL) & 0xffff : (crc << 1) & 0xffff;
  return crc;
});

/** The slot of the key from `from` up to `to`. */
export function slotOf(bytes: Buffer, from: number, to: number): number {
  let start = from;
  let end = to;
  for (let at = from; at < to; at += 1) {
    if (bytes[at] !== OPEN) continue;
    let close = at + 1;
    while (close < to && bytes[close] !== CLOSE) close += 1;
    if (close < to && close > at + 1) {
      start = at + 1;
      end = close;
    }
    break;
  }
  let crc = 0;
  for (let at = start; at < end; at += 1) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ bytes[at]!]!;
  return crc & (SLOT_COUNT - 1);
}
