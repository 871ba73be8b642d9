/**
 * Whether an RDB file holds nothing: its header and auxiliary fields are followed at once by the end (RDB format:
 * `FA` key value pairs, then `FF`). Whatever is not understood counts as something.
 */

const AUX = 0xfa;
const END = 0xff;
const MAGIC_BYTES = 9;

/** Bytes from the beginning that decide it; an empty file of Valkey 9.1 has about 200. */
export const RDB_HEAD_BYTES = 4096;

/** @param head the first RDB_HEAD_BYTES of the file, or all of it */
export function isEmptyRdb(head: Buffer): boolean {
  let position = MAGIC_BYTES;
  while (head[position] === AUX) {
    const key = skipString(head, position + 1);
    const value = key === null ? null : skipString(head, key);
    if (value === null) return false;
    position = value;
  }
  return head[position] === END;
}

/** Where the string that begins here ends, or null when its form is not one of the simple ones. */
function skipString(bytes: Buffer, position: number): number | null {
  const first = bytes[position];
  if (first === undefined) return null;
  if (first < 0x40) return position + 1 + first; // 6 bits of length
  if (first < 0x80) return position + 2 + (((first & 0x3f) << 8) | (bytes[position + 1] ?? 0)); // 14 bits
  if (first === 0xc0) return position + 2; // an 8 bit integer
  if (first === 0xc1) return position + 3;
  if (first === 0xc2) return position + 5;
  return null;
}
