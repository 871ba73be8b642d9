/**
 * The key that backups are encrypted with: 32 bytes that the operator keeps. Nothing is encrypted with it directly: each
 * use has a key of its own that is derived from it.
 */
import { hkdfSync } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { ValkeeperError } from '../domain/errors.ts';

/** The environment variable that may hold the key. */
const KEY_VARIABLE = 'VALKEEPER_BACKUP_KEY';

const KEY_BYTES = 32;
export const KEY_ID_BYTES = 4;
/** More than any way to write a key needs. */
const LONGEST_FILE_BYTES = 1024;
const FOR_OTHERS = 0o077;

const MAKE_ONE =
  'Make one with `openssl rand -hex 32`, and keep it where the backups are not: without it they are lost.';

export interface KeySources {
  /** Path of a file that holds the key; undefined when none was named. */
  file: string | undefined;
  env: NodeJS.ProcessEnv;
}

/**
 * The key of the file, if one is named, else that of the environment; null when there is neither.
 * @throws backup_key_invalid
 */
export async function loadKey({ file, env }: KeySources): Promise<Buffer | null> {
  if (file !== undefined) return readKeyFile(file);
  const text = env[KEY_VARIABLE];
  if (text === undefined) return null;
  // Empty is not unset: whoever sets it wants encryption, and a secret that went missing must not turn it off.
  if (text.trim() === '') throw invalid(KEY_VARIABLE, 'it is empty', `Give it a value or unset it. ${MAKE_ONE}`);
  return checked(keyInText(text), KEY_VARIABLE, 'it must be 64 hexadecimal digits, or 32 bytes in base64');
}

async function readKeyFile(path: string): Promise<Buffer> {
  let file: FileHandle;
  try {
    // Without waiting: a pipe that nobody writes to would hold the process.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw invalid(path, 'it is no regular file', MAKE_ONE);
    if ((mode & FOR_OTHERS) !== 0) {
      const bits = (mode & 0o777).toString(8).padStart(3, '0');
      throw invalid(path, `others than its owner may use it (mode ${bits})`, `Run \`chmod 600 ${path}\`.`);
    }
    const content = size > LONGEST_FILE_BYTES ? Buffer.alloc(0) : await file.readFile();
    return checked(
      keyInFile(content),
      path,
      `it must hold 32 bytes: as they are, as 64 hexadecimal digits, or in base64; it has ${size} bytes`,
    );
  } catch (error) {
    throw error instanceof ValkeeperError ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
}

/** Without white space, as that may be part of 32 bytes as they are; no text that stands for a key is as short. */
function keyInFile(content: Buffer): Buffer | null {
  if (content.length !== KEY_BYTES) return keyInText(content.toString('latin1'));
  // Of 10^14 random keys one is printable: this is a password, or a shorter key in digits.
  return /^[\t\n\r -~]*$/.test(content.toString('latin1')) ? null : content;
}

/** 64 hexadecimal digits, or base64 (of either alphabet, padded or not) of 32 bytes; null for anything else. */
function keyInText(text: string): Buffer | null {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return Buffer.from(trimmed, 'hex');
  const key = Buffer.from(trimmed, 'base64');
  const plain = trimmed.replace(/=$/, '').replaceAll('-', '+').replaceAll('_', '/');
  // Written in the one right way: the decoder passes over what is not base64.
  return key.length === KEY_BYTES && key.toString('base64').replace(/=$/, '') === plain ? key : null;
}

function checked(key: Buffer | null, source: string, expected: string): Buffer {
  if (key === null) throw invalid(source, expected, MAKE_ONE);
  if (key.every((byte) => byte === key[0])) throw invalid(source, 'all its bytes are the same', MAKE_ONE);
  return key;
}

const invalid = (source: string, problem: string, remedy: string): ValkeeperError =>
  new ValkeeperError('backup_key_invalid', { source, problem, remedy });

function unreadable(path: string, cause: unknown): ValkeeperError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return invalid(path, code === 'ENOENT' ? 'there is no such file' : message, MAKE_ONE);
}

/** A key for one purpose, from which neither the backup key nor that of another purpose or salt can be found. */
export function deriveKey(key: Buffer, salt: Uint8Array, purpose: string | Uint8Array, bytes = KEY_BYTES): Buffer {
  if (key.length !== KEY_BYTES) throw new RangeError(`a backup key has ${KEY_BYTES} bytes, not ${key.length}`);
  return Buffer.from(hkdfSync('sha256', key, salt, purpose, bytes));
}

/** Eight hexadecimal digits that tell keys apart and tell nothing of them: a wrong key is known by them at once. */
export const keyIdOf = (key: Buffer): string =>
  deriveKey(key, Buffer.alloc(0), 'valkeeper backup key id 1', KEY_ID_BYTES).toString('hex');

/** @throws backup_key_wrong when this is another key than the one that was used */
export function checkKeyId(key: Buffer, wanted: string): void {
  const given = keyIdOf(key);
  if (given !== wanted) throw new ValkeeperError('backup_key_wrong', { given, wanted });
}
