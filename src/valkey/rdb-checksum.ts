/** The checksum that RDB files end with: CRC-64 of Jones, bits reflected, from 0 (crc64.c of Valkey). */

/** 0xad93d23594c935a9 with its bits in reverse. */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n;
const TABLE_SIZE = 256;
const LOW = 0xffff_ffffn;

/** By byte, in two halves: numbers of 32 bits are many times as fast as those of 64. */
const HIGH_HALVES = new Uint32Array(TABLE_SIZE);
const LOW_HALVES = new Uint32Array(TABLE_SIZE);
for (let byte = 0; byte < TABLE_SIZE; byte += 1) {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ POLYNOMIAL : value >> 1n;
  HIGH_HALVES[byte] = Number(value >> 32n);
  LOW_HALVES[byte] = Number(value & LOW);
}

export class RdbChecksum {
  #high = 0;
  #low = 0;

  add(bytes: Uint8Array): void {
    let [high, low] = [this.#high, this.#low];
    for (let at = 0; at < bytes.length; at += 1) {
      const index = (low ^ bytes[at]!) & 0xff;
      low = (((low >>> 8) | (high << 24)) ^ LOW_HALVES[index]!) >>> 0;
      high = ((high >>> 8) ^ HIGH_HALVES[index]!) >>> 0;
    }
    this.#high = high;
    this.#low = low;
  }

  /** As eight bytes, as the file has them. */
  bytes(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(this.#low, 0);
    bytes.writeUInt32LE(this.#high, 4);
    return bytes;
  }
}

const OPCODE_EOF = 0xff;
/** The opcode that ends it, and the checksum. */
const TAIL_BYTES = 9;

/** Reads a whole RDB and says what is wrong with its end; null when nothing is. One written without a checksum has zeros there. */
export async function problemOfRdb(bytes: AsyncIterable<Uint8Array>): Promise<string | null> {
  const checksum = new RdbChecksum();
  let tail: Uint8Array = new Uint8Array();
  for await (const chunk of bytes) {
    const all = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
    const end = Math.max(0, all.length - TAIL_BYTES);
    checksum.add(all.subarray(0, end));
    tail = Buffer.from(all.subarray(end)); // a copy: chunks may be used again
  }
  if (tail.length < TAIL_BYTES || tail[0] !== OPCODE_EOF) return 'its end is missing';
  checksum.add(tail.subarray(0, 1));
  const said = Buffer.from(tail.subarray(1));
  return said.every((byte) => byte === 0) || said.equals(checksum.bytes()) ? null : 'its checksum is another';
}

/** The versions that Valkey 9 reads: its own, and those up to Redis 7.2; 12 to 79 are of Redis 7.4 and later, in another form. */
const OWN_VERSION = 80;
const LAST_COMMON_VERSION = 11;

/** Whether this engine reads RDB files of this version. */
export const isReadable = (version: number): boolean => version <= LAST_COMMON_VERSION || version === OWN_VERSION;
