/** What one process shows of itself and whom it believes, as Node's TLS wants it. */
import { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls';
import { type Bundle, bundleText, issuerIn } from './bundle.ts';
import { type Expected, expectPeer } from './peer.ts';

/** A certificate, its key, and the authorities that are believed; all in PEM. A renewal makes new ones. */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
  readonly bundle: Bundle;
}

/** All peers are of our own making: nothing older needs to be understood. */
export const MIN_VERSION = 'TLSv1.3' as const;

const contexts = new WeakMap<Credentials, SecureContext>();

/**
 * What a connection is made with. One for all connections with the same credentials: making one reads every PEM, some
 * 0.5 ms. @throws Error of OpenSSL when the key does not belong to the certificate
 */
function secureContextOf(credentials: Credentials): SecureContext {
  let context = contexts.get(credentials);
  if (context === undefined) {
    context = createSecureContext(pemsOf(credentials));
    contexts.set(credentials, context);
  }
  return context;
}

/** For `tls.connect`, `https.request`, WebSockets and NodeConnection: who answers must be `expected`, else the handshake fails. */
export const clientOptions = (credentials: Credentials, expected: Expected) =>
  ({
    secureContext: secureContextOf(credentials),
    minVersion: MIN_VERSION,
    rejectUnauthorized: true,
    checkServerIdentity: expectPeer(expected),
  }) satisfies ConnectionOptions;

/** As `clientOptions`, for a machine that joins: it has no certificate, and believes the authority it has just fetched. */
export const joiningOptions = (authority: string): ConnectionOptions => ({
  ca: authority,
  minVersion: MIN_VERSION,
  rejectUnauthorized: true,
  checkServerIdentity: expectPeer({ kind: 'control' }),
});

/**
 * For `https.createServer` and `tls.createServer`: asks for a certificate and takes clients without one, too, since a
 * machine that joins has none yet. Whoever serves them must ask `checkPeer`, and take nothing for granted before.
 * When credentials were renewed: `server.setSecureContext(serverOptions(credentials))`; open connections stay.
 */
export const serverOptions = (credentials: Credentials) => ({
  ...pemsOf(credentials),
  requestCert: true,
  rejectUnauthorized: false,
});

/** For a server whose clients are apps: they show no certificate, and some know nothing newer than TLS 1.2. */
export const appServerOptions = (credentials: Credentials) => ({
  ...pemsOf(credentials),
  minVersion: 'TLSv1.2' as const,
  requestCert: false,
});

/** With the authority behind the certificate: a machine that joins knows only its fingerprint, and must get it from here. */
function pemsOf({ certificate, key, bundle }: Credentials) {
  const issuer = issuerIn(bundle, new X509Certificate(certificate)) ?? '';
  return { cert: `${certificate.trim()}\n${issuer}`, key, ca: bundleText(bundle), minVersion: MIN_VERSION } as const;
}

/** How long a certificate is valid, in milliseconds since the epoch. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Of a certificate in PEM. @throws Error when it is none */
export function validityOf(certificate: string): Validity {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
}
