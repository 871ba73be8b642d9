/**
 * Join tokens: `valkeeper agent --join URL --token TOKEN`. A token admits one machine, once, and not for long. It also
 * carries the fingerprint of the authority's certificate, so that the machine knows the control plane before it says a
 * word to it. What is stored of a token cannot be used as one.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { ValkeeperError } from '../domain/errors.ts';

export const DEFAULT_TOKEN_TTL_MS = 3_600_000;
export const LONGEST_TOKEN_TTL_MS = 7 * 24 * 3_600_000;
const SHORTEST_TOKEN_TTL_MS = 1_000;

const PREFIX = 'valkeeper1';
const ID_BYTES = 8;
const SECRET_BYTES = 32;
const FINGERPRINT_BYTES = 32;

/** What the control plane stores of a token. */
export interface JoinTokenRecord {
  /** Not secret: names the token in lists and events. */
  readonly id: string;
  /** SHA-256 of the secret, in hexadecimal digits. */
  readonly secretHash: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Which the machine that joins by it gets. */
  readonly labels: Readonly<Record<string, string>>;
  /** The name that it is for; null: for any. */
  readonly machine: string | null;
  /** Whom it has admitted; null before. */
  readonly use: TokenUse | null;
}

export interface TokenUse {
  readonly at: number;
  readonly machine: string;
  /** Of the request it was used with; see `readRequest`. */
  readonly keyId: string;
}

/** A token's text, taken apart. */
export interface JoinToken {
  readonly id: string;
  readonly secret: Buffer;
  /** Of the authority's certificate, as `fingerprintOf` writes it. */
  readonly fingerprint: string;
}

/**
 * A new token: the text for whoever sets up the machine, shown once, and the record to store.
 * @throws invalid_value for a time to live outside its limits
 */
export function createJoinToken(wish: {
  ttlMs: number;
  /** Milliseconds since the epoch. */
  now: number;
  /** Of the authority's certificate. */
  fingerprint: string;
  labels?: Readonly<Record<string, string>>;
  /** The name that it is for; without it, any. */
  machine?: string | undefined;
}): { text: string; record: JoinTokenRecord } {
  const { ttlMs, now, fingerprint, labels = {}, machine = null } = wish;
  if (!(ttlMs >= SHORTEST_TOKEN_TTL_MS && ttlMs <= LONGEST_TOKEN_TTL_MS)) {
    throw new ValkeeperError('invalid_value', {
      field: 'ttl',
      problem: `${ttlMs / 1000} s is not a time that a token may live`,
      remedy: `Choose 1 s to ${LONGEST_TOKEN_TTL_MS / 1000} s (7 days).`,
    });
  }
  const id = randomBytes(ID_BYTES).toString('hex');
  const secret = randomBytes(SECRET_BYTES);
  const text = [PREFIX, id, secret.toString('base64url'), Buffer.from(fingerprint, 'hex').toString('base64url')];
  return {
    text: text.join('.'),
    record: { id, secretHash: hashOf(secret), createdAt: now, expiresAt: now + ttlMs, labels, machine, use: null },
  };
}

/** The parts of a token's text, spaces around it left out; null when it is none or not whole. */
export function parseJoinToken(text: string): JoinToken | null {
  const [prefix, id = '', secretText = '', fingerprintText = '', ...more] = text.trim().split('.');
  const secret = bytesIn(secretText, SECRET_BYTES);
  const fingerprint = bytesIn(fingerprintText, FINGERPRINT_BYTES);
  const isWhole = prefix === PREFIX && more.length === 0 && id.length === ID_BYTES * 2 && /^[0-9a-f]+$/.test(id);
  if (!isWhole || secret === null || fingerprint === null) return null;
  return { id, secret, fingerprint: fingerprint.toString('hex') };
}

/** What base64url stands for, if it is so many bytes and written in the one right way. */
function bytesIn(text: string, count: number): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.length === count && bytes.toString('base64url') === text ? bytes : null;
}

/**
 * What a token is worth:
 * `fresh` it admits; `repeated` it has admitted this very machine and key already, whose answer was lost on the way;
 * `reserved` it is for another name; `used` it has admitted another; `expired`; `unknown` no such token, or another secret; `malformed` it is no token.
 */
export type TokenOutcome =
  | { readonly outcome: 'fresh' | 'repeated'; readonly record: JoinTokenRecord }
  | { readonly outcome: 'used'; readonly use: TokenUse }
  | { readonly outcome: 'reserved'; readonly wanted: string; readonly name: string }
  | { readonly outcome: 'expired'; readonly at: number }
  | { readonly outcome: 'unknown' | 'malformed' };

/**
 * Judges a token that came with a request. Changes nothing: who takes it for `fresh` stores `markUsed` by
 * compare-and-set before anything is issued, so that of two at once only one gets in.
 * @param record stored under the token's id; undefined when there is none
 */
export function judgeJoinToken(
  token: JoinToken | null,
  record: JoinTokenRecord | undefined,
  { machine, keyId, now }: { machine: string; keyId: string; now: number },
): TokenOutcome {
  if (token === null) return { outcome: 'malformed' };
  // The secret first: to a guess, everything is unknown.
  if (record === undefined || record.id !== token.id || !isSecretOf(record, token.secret))
    return { outcome: 'unknown' };
  const { use, expiresAt } = record;
  if (use !== null && !(use.machine === machine && use.keyId === keyId)) return { outcome: 'used', use };
  if (now >= expiresAt) return { outcome: 'expired', at: expiresAt };
  if (record.machine !== null && record.machine !== machine) {
    return { outcome: 'reserved', wanted: record.machine, name: machine };
  }
  return { outcome: use === null ? 'fresh' : 'repeated', record };
}

/** The record of a token that has now admitted a machine. */
export const markUsed = (record: JoinTokenRecord, use: TokenUse): JoinTokenRecord => ({ ...record, use });

const hashOf = (secret: Buffer): string => createHash('sha256').update(secret).digest('hex');

/** Takes as long for a wrong secret as for the right one. */
const isSecretOf = ({ secretHash }: JoinTokenRecord, secret: Buffer): boolean =>
  timingSafeEqual(Buffer.from(secretHash, 'hex'), Buffer.from(hashOf(secret), 'hex'));
