/**
 * The manifest of a backup: written last, so that where there is one, the backup is whole. A JSON document whose first
 * lines vouch for every byte of the others; see docs/backup-format.md.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { ValkeeperError } from '../domain/errors.ts';
import { checkKeyId, deriveKey, keyIdOf } from './key.ts';
import { type BackupSecrets, type ManifestBody, manifestSchema, secretsSchema, wordsOf } from './manifest-schema.ts';

/** Of manifest and parts together: a part of another form comes with another version. */
const FORMAT_VERSION = 1;

export interface BackupManifest extends ManifestBody {
  /** Only in an encrypted backup, and to be read only with its key. */
  secrets?: BackupSecrets | undefined;
}

export interface OpenedManifest {
  /** Without a key, the secrets are left out. */
  manifest: BackupManifest;
  /** The key vouches for it. Else only accidents are ruled out: whoever can write to the store can have made it. */
  isAuthentic: boolean;
}

/** These two lines stay as they are in all versions, so that damage is told from what is newer. */
const FIRST_LINES = /^(\{\n"format": "valkeeper backup ([1-9]\d{0,5})",\n)("sha256": "([0-9a-f]{64})",\n)/;
const LONGEST_FIRST_LINES = 200;
const HMAC_LINE = /^"hmac": (?:null|"([0-9a-f]{64})"),\n/;
const LONGEST_HMAC_LINE = 100;
const BACKUP = '"backup": ';
const END = '\n}\n';

const CIPHER = 'aes-256-gcm';
const SALT_BYTES = 32;
const TAG_BYTES = 16;
/** Of zeros: each key that secrets are sealed with is used once. */
const NONCE = Buffer.alloc(12);
const NO_SALT = Buffer.alloc(0);

/**
 * The manifest as it is stored.
 * @param manifest its `keyId` follows from the key
 * @throws backup_key_missing for secrets without a key; internal for a manifest that could not be read again
 */
export function sealManifest(manifest: Omit<BackupManifest, 'keyId'>, key: Buffer | null): Buffer {
  const { secrets, ...said } = manifest;
  if (secrets !== undefined && key === null) throw new ValkeeperError('backup_key_missing');
  const checked = manifestSchema.safeParse({ ...said, keyId: key === null ? null : keyIdOf(key) });
  if (!checked.success) throw new ValkeeperError('internal', { detail: `the manifest: ${wordsOf(checked.error)}` });
  const sealed = secrets === undefined || key === null ? {} : { sealedSecrets: sealSecrets(secrets, key) };
  const format = Buffer.from(`{\n"format": "valkeeper backup ${FORMAT_VERSION}",\n`);
  const backup = Buffer.from(`${BACKUP}${JSON.stringify({ ...checked.data, ...sealed }, null, 2)}${END}`);
  const hmac = key === null ? 'null' : `"${hmacOf(key, format, backup).toString('hex')}"`;
  const vouched = Buffer.concat([Buffer.from(`"hmac": ${hmac},\n`), backup]);
  return Buffer.concat([format, Buffer.from(`"sha256": "${sha256Of(format, vouched)}",\n`), vouched]);
}

/**
 * What a stored manifest says. Without a key an encrypted one can be read too, all but its secrets. One that says it is
 * not encrypted is read with any key, and never authentic: whoever expects an encrypted one looks at its `keyId`.
 * @throws backup_damaged for anything but the bytes that were written, backup_format_newer, backup_key_wrong
 */
export function openManifest(bytes: Buffer, key: Buffer | null): OpenedManifest {
  const first = FIRST_LINES.exec(bytes.toString('latin1', 0, LONGEST_FIRST_LINES));
  if (first === null) throw damaged('it does not begin as a manifest does');
  const [all, formatLine = '', version = '', , sha256 = ''] = first;
  const format = bytes.subarray(0, formatLine.length);
  const vouched = bytes.subarray(all.length);
  if (sha256Of(format, vouched) !== sha256) throw damaged('it was changed or cut: its SHA-256 is another');
  if (Number(version) > FORMAT_VERSION) {
    throw new ValkeeperError('backup_format_newer', { version, known: FORMAT_VERSION });
  }
  const hmacLine = HMAC_LINE.exec(vouched.toString('latin1', 0, LONGEST_HMAC_LINE));
  if (hmacLine === null) throw damaged('its third line is not as it should be');
  const backup = vouched.subarray(hmacLine[0].length);
  const { body, sealedSecrets } = readBackup(backup);
  if (body.keyId === null || key === null) return { manifest: body, isAuthentic: false };
  checkKeyId(key, body.keyId);
  const hmac = Buffer.from(hmacLine[1] ?? '', 'hex');
  const expected = hmacOf(key, format, backup);
  if (hmac.length !== expected.length || !timingSafeEqual(hmac, expected)) {
    throw damaged('it was not written by one who has the key');
  }
  const secrets = sealedSecrets === undefined ? {} : { secrets: openSecrets(sealedSecrets, key) };
  return { manifest: { ...body, ...secrets }, isAuthentic: true };
}

function readBackup(bytes: Buffer): { body: ManifestBody; sealedSecrets: string | undefined } {
  const text = bytes.toString('utf8');
  if (!text.startsWith(BACKUP) || !text.endsWith(END)) throw damaged('its frame is not as it should be');
  const parsed = parse(text.slice(BACKUP.length, -END.length));
  const body = manifestSchema.safeParse(parsed);
  if (!body.success) throw damaged(wordsOf(body.error));
  const sealed = sealedSchema.safeParse(parsed);
  if (!sealed.success) throw damaged(wordsOf(sealed.error));
  return { body: body.data, sealedSecrets: sealed.data.sealedSecrets };
}

const sealedSchema = z.object({ sealedSecrets: z.base64().optional() });

/** Salt, what is encrypted, and its tag, in base64. */
function sealSecrets(secrets: BackupSecrets, key: Buffer): string {
  const salt = randomBytes(SALT_BYTES);
  const cipher = createCipheriv(CIPHER, secretsKeyOf(key, salt), NONCE, { authTagLength: TAG_BYTES });
  const sealed = [cipher.update(JSON.stringify(secretsSchema.parse(secrets)), 'utf8'), cipher.final()];
  return Buffer.concat([salt, ...sealed, cipher.getAuthTag()]).toString('base64');
}

function openSecrets(sealed: string, key: Buffer): BackupSecrets {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.length < SALT_BYTES + TAG_BYTES) throw damaged('its secrets are cut off');
  const secretsKey = secretsKeyOf(key, bytes.subarray(0, SALT_BYTES));
  const decipher = createDecipheriv(CIPHER, secretsKey, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  let text: string;
  try {
    const opened = [decipher.update(bytes.subarray(SALT_BYTES, -TAG_BYTES)), decipher.final()];
    text = Buffer.concat(opened).toString('utf8');
  } catch {
    throw damaged('its secrets were changed');
  }
  const secrets = secretsSchema.safeParse(parse(text));
  if (!secrets.success) throw damaged('its secrets are not as they should be');
  return secrets.data;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged('it is no JSON', error);
  }
}

const secretsKeyOf = (key: Buffer, salt: Buffer): Buffer => deriveKey(key, salt, 'valkeeper backup secrets 1');

const sha256Of = (format: Buffer, vouched: Buffer): string =>
  createHash('sha256').update(format).update(vouched).digest('hex');

const hmacOf = (key: Buffer, format: Buffer, backup: Buffer): Buffer =>
  createHmac('sha256', deriveKey(key, NO_SALT, 'valkeeper backup manifest 1'))
    .update(format)
    .update(backup)
    .digest();

const damaged = (problem: string, cause?: unknown): ValkeeperError =>
  new ValkeeperError('backup_damaged', { what: 'The manifest of the backup', problem }, { cause });
