/** A part: the RDB of one shard as it is stored. What is known of one, and the bytes that it begins with. */
import { createHash, randomBytes } from 'node:crypto';
import { deriveKey, KEY_ID_BYTES, keyIdOf } from './key.ts';

export const COMPRESSIONS = ['none', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** What a part is when it is whole: of the RDB as the node sent it (raw), and of the file it became (stored). */
export interface PartFacts {
  rawBytes: number;
  /** SHA-256 in hexadecimal digits, as all of them. */
  rawSha256: string;
  storedBytes: number;
  storedSha256: string;
  compression: Compression;
  encrypted: boolean;
}

/** A part with the name it is stored under. */
export interface Part extends PartFacts {
  name: string;
}

/** Of the zstd stream's window, as a power of two: what a reader must be ready to keep in memory. */
export const MOST_WINDOW_LOG = 23;

const MAGIC = Buffer.from('VKPART\x01', 'latin1');
const FLAGS_BYTES = 1;
const ZSTD = 0b01;
const ENCRYPTED = 0b10;
const SALT_BYTES = 32;
const CHECKSUM_BYTES = 4;

type Form = Pick<PartFacts, 'compression' | 'encrypted'>;

/** A header with the key of the part's frames; null where it is not encrypted. */
interface Head {
  bytes: Buffer;
  frameKey: Buffer | null;
}

const flagsOf = ({ compression, encrypted }: Form): number =>
  (compression === 'zstd' ? ZSTD : 0) | (encrypted ? ENCRYPTED : 0);

/** How long the header of such a part is. */
export const headBytes = ({ encrypted }: Pick<PartFacts, 'encrypted'>): number =>
  MAGIC.length + FLAGS_BYTES + (encrypted ? SALT_BYTES + KEY_ID_BYTES : 0) + CHECKSUM_BYTES;

/** The header of a new part, with a salt of its own: no two parts are encrypted with the same key. */
export function createHead(compression: Compression, key: Buffer | null): Head {
  const flags = Buffer.from([flagsOf({ compression, encrypted: key !== null })]);
  const secret = key === null ? [] : [randomBytes(SALT_BYTES), Buffer.from(keyIdOf(key), 'hex')];
  const fields = Buffer.concat([MAGIC, flags, ...secret]);
  const bytes = Buffer.concat([fields, checksumOf(fields)]);
  return { bytes, frameKey: key === null ? null : frameKeyOf(bytes, key) };
}

/**
 * What is wrong with a header of which the manifest says so much; null when nothing is. The checksum is there to tell
 * a damaged key id from that of another key.
 */
export function problemOfHead(bytes: Buffer, form: Form): string | null {
  if (bytes.length < headBytes(form)) return 'it is shorter than its header';
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return 'it does not begin as a part does';
  const fields = bytes.subarray(0, -CHECKSUM_BYTES);
  if (!checksumOf(fields).equals(bytes.subarray(-CHECKSUM_BYTES))) return 'its header was changed';
  return fields[MAGIC.length] === flagsOf(form) ? null : 'it is compressed or encrypted otherwise than its backup says';
}

/** Which key an encrypted part was written with. */
export function keyIdIn(head: Buffer): string {
  const from = MAGIC.length + FLAGS_BYTES + SALT_BYTES;
  return head.toString('hex', from, from + KEY_ID_BYTES);
}

/** The key of the frames of a part with this header: with any bit of the header changed it is another. */
export function frameKeyOf(head: Buffer, key: Buffer): Buffer {
  const from = MAGIC.length + FLAGS_BYTES;
  const purpose = Buffer.concat([Buffer.from('valkeeper backup part 1'), head]);
  return deriveKey(key, head.subarray(from, from + SALT_BYTES), purpose);
}

const checksumOf = (bytes: Uint8Array): Buffer =>
  createHash('sha256').update(bytes).digest().subarray(0, CHECKSUM_BYTES);

/** Of an encrypted part the header's length, whatever is in it. */
const ENCRYPTED_HEAD_BYTES = headBytes({ encrypted: true });

/** Which key a stored, encrypted part was written with; read no further than its header. */
export async function partKeyId(stored: AsyncIterable<Uint8Array>): Promise<string> {
  let head = Buffer.alloc(0);
  for await (const chunk of stored) {
    head = Buffer.concat([head, chunk]);
    if (head.length >= ENCRYPTED_HEAD_BYTES) break;
  }
  return keyIdIn(head);
}
