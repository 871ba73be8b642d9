/**
 * Is the other side of a TLS connection who it should be? The authority's signature alone does not say that: a
 * certificate of any machine would do for any other. So whoever connects or accepts says whom it expects.
 *
 * Who connects lets the handshake fail (`expectPeer` as `checkServerIdentity`), and `refusalOf` tells why. Who accepts
 * may have something to say to a stranger, such as a machine that joins: it lets the handshake pass and asks `checkPeer`
 * before it believes anything.
 */
import { X509Certificate } from 'node:crypto';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { describeIdentity, type Identity, identityIn } from './identity.ts';

/** Whom one expects. `name` undefined: any machine. */
export type Expected = { readonly kind: 'control' } | { readonly kind: 'machine'; readonly name?: string };

/**
 * Why a peer is not accepted; of several reasons one, so an expired certificate of a stranger may be called `expired`:
 * `no_certificate` it showed none;
 * `wrong_authority` what it showed was issued by nobody we believe (`detail`: OpenSSL's word for it);
 * `expired`, `not_yet_valid` by this machine's clock: one of the two clocks may be wrong;
 * `another_kind` a control plane where a machine should be, or the other way round, or neither;
 * `another_name` another machine;
 * `refused_us` it does not accept our certificate, for a reason of its own (`detail`).
 */
export type Refusal =
  | { readonly why: 'no_certificate' }
  | { readonly why: 'wrong_authority' | 'refused_us'; readonly detail: string }
  | { readonly why: 'expired' | 'not_yet_valid'; readonly at: number | null }
  | {
      readonly why: 'another_kind' | 'another_name';
      readonly found: Identity | null;
      readonly expected: Expected;
    };

/** What `checkPeer` comes to. */
export type Peer =
  | { readonly accepted: true; readonly identity: Identity; readonly certificate: X509Certificate }
  | { readonly accepted: false; readonly refusal: Refusal };

/** Thrown into the handshake by `expectPeer`; `refusalOf` reads it. */
class PeerRefused extends Error {
  override readonly name = 'PeerRefused';
  readonly refusal: Refusal;

  constructor(refusal: Refusal & { why: 'another_kind' | 'another_name' }) {
    super(`the certificate is of ${describeIdentity(refusal.found)}`);
    this.refusal = refusal;
  }
}

/** For `checkServerIdentity` of a TLS client: called when the chain is in order, before anything is sent. */
export const expectPeer =
  (expected: Expected) =>
  (_host: string, { raw }: PeerCertificate): Error | undefined => {
    const refusal = identityRefusal(identityIn(new X509Certificate(raw)), expected);
    return refusal === null ? undefined : new PeerRefused(refusal);
  };

/**
 * Whether an accepted connection is from whom it should be. The server must ask for certificates (`requestCert`).
 * A session that was taken up again is not verified by OpenSSL a second time, so the dates are looked at here as well.
 * @param now milliseconds since the epoch
 */
export function checkPeer(socket: TLSSocket, expected: Expected, now: number): Peer {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { accepted: false, refusal: { why: 'no_certificate' } };
  const identity = identityIn(certificate);
  const dates = datesRefusal(certificate, now);
  const chain = socket.authorized ? null : chainRefusal(codeOf(socket.authorizationError), expected);
  const refusal = dates ?? chain ?? identityRefusal(identity, expected);
  return refusal === null ? { accepted: true, identity: identity!, certificate } : { accepted: false, refusal };
}

/** Why a handshake failed, from the socket's error; null when it was not about trust (refused, reset, timed out, ...). */
export function refusalOf(error: Error, expected: Expected): Refusal | null {
  if (error instanceof PeerRefused) return error.refusal;
  const code = codeOf(error);
  if (CHAIN_CODES.has(code)) return chainRefusal(code, expected);
  const alert = ALERT.exec(code);
  return alert === null ? null : { why: 'refused_us', detail: alert[1]!.toLowerCase().replaceAll('_', ' ') };
}

/** What the other side says of our certificate; as a rule it comes after our side of the handshake is over (TLS 1.3). */
const ALERT =
  /^ERR_SSL_.+_ALERT_((?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR)$/;

/** OpenSSL's words for a chain that is not in order, as Node passes them on (X509_V_ERR_...). */
const CHAIN_CODES: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'INVALID_PURPOSE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_SIGNATURE_FAILURE',
  'CERT_CHAIN_TOO_LONG',
  'PATH_LENGTH_EXCEEDED',
  'INVALID_CA',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
]);

function chainRefusal(code: string, expected: Expected): Refusal {
  if (code === 'CERT_HAS_EXPIRED') return { why: 'expired', at: null };
  if (code === 'CERT_NOT_YET_VALID') return { why: 'not_yet_valid', at: null };
  if (code === 'INVALID_PURPOSE') return { why: 'another_kind', found: null, expected };
  return { why: 'wrong_authority', detail: code };
}

function datesRefusal({ validFromDate, validToDate }: X509Certificate, now: number): Refusal | null {
  if (now > validToDate.getTime()) return { why: 'expired', at: validToDate.getTime() };
  return now < validFromDate.getTime() ? { why: 'not_yet_valid', at: validFromDate.getTime() } : null;
}

function identityRefusal(found: Identity | null, expected: Expected) {
  if (found === null || found.kind !== expected.kind) return { why: 'another_kind', found, expected } as const;
  if (found.kind === 'control' || expected.kind === 'control') return null;
  const isMeant = expected.name === undefined || expected.name === found.name;
  return isMeant ? null : ({ why: 'another_name', found, expected } as const);
}

/** Node gives a server the code as a text, a client an error that carries it. */
const codeOf = (error: unknown): string =>
  typeof error === 'string' ? error : String((error as NodeJS.ErrnoException | null)?.code ?? '');
