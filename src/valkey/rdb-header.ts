/** The beginning of an RDB file: which version, and what the engine says of itself there (rdb.c: RDB_OPCODE_AUX). */

/** Bytes within which it surely ends. */
export const RDB_HEADER_BYTES = 4_096;

const MAGIC = /^(VALKEY|REDIS)(\d{3,4})$/;
const MAGIC_BYTES = 9;
const OPCODE_AUX = 0xfa;

export interface RdbHeader {
  /** `VALKEY` from Valkey 9 on, `REDIS` before and elsewhere. */
  magic: 'VALKEY' | 'REDIS';
  version: number;
  /** Such as `valkey-ver`, `ctime` (seconds), `used-mem` (bytes), `repl-id`, `repl-offset`. */
  fields: ReadonlyMap<string, string>;
}

/** @param bytes the first of the file, `RDB_HEADER_BYTES` or all. Null when they are no RDB's */
export function rdbHeader(bytes: Buffer): RdbHeader | null {
  const magic = MAGIC.exec(bytes.toString('latin1', 0, MAGIC_BYTES));
  if (!magic) return null;
  const fields = new Map<string, string>();
  let at = MAGIC_BYTES;
  while (bytes[at] === OPCODE_AUX) {
    const name = stringAt(bytes, at + 1);
    const value = name && stringAt(bytes, name.end);
    if (!value) break;
    fields.set(name.text, value.text);
    at = value.end;
  }
  return { magic: magic[1] as RdbHeader['magic'], version: Number(magic[2]), fields };
}

/** A length of 6, 14 or 32 bits and so many bytes; or a number of 1, 2 or 4 bytes. Compressed ones do not occur here. */
function stringAt(bytes: Buffer, at: number): { text: string; end: number } | null {
  const first = bytes[at];
  if (first === undefined) return null;
  try {
    switch (first) {
      case 0xc0:
        return { text: String(bytes.readInt8(at + 1)), end: at + 2 };
      case 0xc1:
        return { text: String(bytes.readInt16LE(at + 1)), end: at + 3 };
      case 0xc2:
        return { text: String(bytes.readInt32LE(at + 1)), end: at + 5 };
    }
    const kind = first >> 6;
    if (kind > 1) return null;
    const length = kind === 0 ? first : ((first & 0x3f) << 8) | bytes.readUInt8(at + 1);
    const from = at + 1 + kind;
    return from + length > bytes.length
      ? null
      : { text: bytes.toString('utf8', from, from + length), end: from + length };
  } catch (error) {
    if (error instanceof RangeError) return null; // it ends in the middle
    throw error;
  }
}
