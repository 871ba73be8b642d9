/**
 * The side that asks for a certificate: a key that never leaves it, a signing request, and a look at what comes back.
 *
 * The request is written by hand: a hundred bytes around a public key. @peculiar/x509, with which the authority works,
 * would cost every agent 17 MB more of memory for it (docs/adr/0009-trust.md).
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { ValkeeperError } from '../domain/errors.ts';
import { type Bundle, issuerIn } from './bundle.ts';
import type { Credentials } from './credentials.ts';
import { der, pem, TAG } from './der.ts';
import { commonNameOf, describeIdentity, type Identity, identityIn, uriOf } from './identity.ts';

const COMMON_NAME = Buffer.from([0x55, 0x04, 0x03]); // 2.5.4.3
const ECDSA_WITH_SHA256 = Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]); // 1.2.840.10045.4.3.2

export interface KeyAndRequest {
  /** The private key, PKCS #8 in PEM: for this machine's disk only. */
  readonly key: string;
  /** The certificate signing request, PKCS #10 in PEM: for the authority. */
  readonly request: string;
}

/**
 * A request for a certificate for a new key (ECDSA P-256); a renewal takes a new key, too.
 * @param present the key that a machine has already, in PEM: with it, who asks again is known to be the same
 */
export function createRequest(identity: Identity, present?: string): KeyAndRequest {
  const privateKey =
    present === undefined ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : createPrivateKey(present);
  const publicKey = createPublicKey(privateKey);
  const name = der(
    TAG.sequence,
    der(
      TAG.set,
      der(TAG.sequence, der(TAG.oid, COMMON_NAME), der(TAG.utf8, Buffer.from(commonNameOf(identity), 'utf8'))),
    ),
  );
  const version = der(TAG.integer, Buffer.from([0]));
  const asked = der(TAG.sequence, version, name, publicKey.export({ type: 'spki', format: 'der' }), der(TAG.context0));
  const signature = der(TAG.bitString, Buffer.from([0]), sign('sha256', asked, privateKey));
  const request = der(TAG.sequence, asked, der(TAG.sequence, der(TAG.oid, ECDSA_WITH_SHA256)), signature);
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    request: pem('CERTIFICATE REQUEST', request),
  };
}

/** What came back for a request. */
export interface Reply {
  readonly certificate: string;
  readonly bundle: Bundle;
}

/**
 * The credentials that a reply makes of the key, once it is seen that they fit together: the certificate is for this
 * key and this identity, one of the authorities issued it, and it is valid now.
 * @param now milliseconds since the epoch
 * @throws certificate_unfit; nothing of the reply should be kept then
 */
export function acceptReply(key: string, { certificate, bundle }: Reply, identity: Identity, now: number): Credentials {
  const problem = problemWith(key, certificate, bundle, identity, now);
  if (problem !== null) throw new ValkeeperError('certificate_unfit', { problem });
  return { key, certificate, bundle };
}

function problemWith(key: string, pemText: string, bundle: Bundle, wanted: Identity, now: number): string | null {
  let certificate: X509Certificate;
  let issuer: string | null;
  try {
    certificate = new X509Certificate(pemText);
    issuer = issuerIn(bundle, certificate);
  } catch {
    return 'it cannot be read';
  }
  if (!certificate.checkPrivateKey(createPrivateKey(key))) return 'it is for another key';
  if (issuer === null) return 'none of the authorities sent with it has issued it';
  const found = identityIn(certificate);
  if (found === null || uriOf(found) !== uriOf(wanted)) {
    return `it is for ${describeIdentity(found)}, not for ${describeIdentity(wanted)}`;
  }
  const clock = `this machine's clock says ${new Date(now).toISOString()}`;
  if (now < certificate.validFromDate.getTime()) return `it is not valid yet: ${clock}`;
  return now > certificate.validToDate.getTime() ? `it has expired: ${clock}` : null;
}
