/**
 * Small objects of an archive: packed, and closed so that each opens under its own name only. With a key they are
 * encrypted and authenticated; without one a SHA-256 tells accidents. See docs/backup-format.md.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { ValkeeperError } from '../domain/errors.ts';
import { checkKeyId, deriveKey, KEY_ID_BYTES, keyIdOf } from './key.ts';

/** Of one object before it is packed. */
export const MOST_OBJECT_BYTES = 17 * 1024 ** 2;

const MAGIC = Buffer.from('VKARCH\x01', 'latin1');
const ENCRYPTED = 0b10;
const ZSTD = 0b01;
const SALT_BYTES = 32;
const CHECKSUM_BYTES = 4;
const HASH_BYTES = 32;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';
/** Of zeros: each key is used once. */
const NONCE = Buffer.alloc(12);
const ZSTD_LEVEL = 1;

const pack = promisify(zstdCompress);
const unpack = promisify(zstdDecompress);

/** The object as it is stored under this name. */
export async function sealObject(name: string, raw: Uint8Array, key: Buffer | null): Promise<Buffer> {
  if (raw.length > MOST_OBJECT_BYTES) throw new RangeError(`an object has ${MOST_OBJECT_BYTES} bytes at most`);
  const packed = await pack(raw, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
  const flags = Buffer.from([ZSTD | (key ? ENCRYPTED : 0)]);
  const fields = Buffer.concat([
    MAGIC,
    flags,
    ...(key ? [randomBytes(SALT_BYTES), Buffer.from(keyIdOf(key), 'hex')] : []),
  ]);
  const head = Buffer.concat([fields, sha256(fields).subarray(0, CHECKSUM_BYTES)]);
  if (!key) return Buffer.concat([head, packed, hashOf(name, head, packed)]);
  const cipher = createCipheriv(CIPHER, objectKey(name, head, key), NONCE, { authTagLength: TAG_BYTES });
  return Buffer.concat([head, cipher.update(packed), cipher.final(), cipher.getAuthTag()]);
}

/**
 * What was sealed under this name.
 * @param keys with which it may be encrypted
 * @param mustBeEncrypted who can write to a place cannot put an open object in the place of a closed one
 * @throws backup_damaged, backup_key_missing, backup_key_wrong
 */
export async function openObject(
  name: string,
  stored: Buffer,
  keys: readonly Buffer[],
  mustBeEncrypted = false,
): Promise<Buffer> {
  const { head, rest, isEncrypted } = headOf(name, stored);
  if (mustBeEncrypted && !isEncrypted) throw damaged(name, 'it is not encrypted, and was written so');
  const packed = isEncrypted ? decrypted(name, head, rest, keys) : checked(name, head, rest);
  try {
    return await unpack(packed, { maxOutputLength: MOST_OBJECT_BYTES });
  } catch (error) {
    throw damaged(name, `it cannot be decompressed (${(error as Error).message})`);
  }
}

function headOf(name: string, stored: Buffer): { head: Buffer; rest: Buffer; isEncrypted: boolean } {
  const flags = stored[MAGIC.length];
  if (flags === undefined || !stored.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw damaged(name, 'it does not begin as an object of an archive does');
  }
  const isEncrypted = (flags & ENCRYPTED) !== 0;
  const fieldBytes = MAGIC.length + 1 + (isEncrypted ? SALT_BYTES + KEY_ID_BYTES : 0);
  const headBytes = fieldBytes + CHECKSUM_BYTES;
  if (stored.length < headBytes + (isEncrypted ? TAG_BYTES : HASH_BYTES)) throw damaged(name, 'it is cut off');
  const head = stored.subarray(0, headBytes);
  const checksum = sha256(head.subarray(0, fieldBytes)).subarray(0, CHECKSUM_BYTES);
  if (!checksum.equals(head.subarray(fieldBytes))) throw damaged(name, 'its header was changed');
  return { head, rest: stored.subarray(headBytes), isEncrypted };
}

function checked(name: string, head: Buffer, rest: Buffer): Buffer {
  const packed = rest.subarray(0, -HASH_BYTES);
  if (timingSafeEqual(hashOf(name, head, packed), rest.subarray(-HASH_BYTES))) return packed;
  throw damaged(name, 'it was changed, or is another object: its SHA-256 is another');
}

function decrypted(name: string, head: Buffer, rest: Buffer, keys: readonly Buffer[]): Buffer {
  const from = MAGIC.length + 1 + SALT_BYTES;
  const id = head.toString('hex', from, from + KEY_ID_BYTES);
  const key = keys.find((one) => keyIdOf(one) === id) ?? keys[0];
  if (!key) throw new ValkeeperError('backup_key_missing');
  checkKeyId(key, id);
  const decipher = createDecipheriv(CIPHER, objectKey(name, head, key), NONCE, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(rest.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(rest.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw damaged(name, 'it is not what was written under this name');
  }
}

/** Of one object: with any bit of its header or its name changed it is another. */
function objectKey(name: string, head: Buffer, key: Buffer): Buffer {
  const salt = head.subarray(MAGIC.length + 1, MAGIC.length + 1 + SALT_BYTES);
  return deriveKey(key, salt, sha256(Buffer.from('valkeeper archive object 1\n'), head, Buffer.from(name)));
}

const hashOf = (name: string, head: Buffer, packed: Buffer): Buffer => sha256(head, Buffer.from(`${name}\n`), packed);

function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const damaged = (name: string, problem: string): ValkeeperError =>
  new ValkeeperError('backup_damaged', { what: `The object ${name}`, problem });
