/**
 * The authorities that are believed: a list of certificates in PEM from the beginning, though there is one for now, so
 * that a second can be believed before anything is issued by it.
 */
import { X509Certificate } from 'node:crypto';

/** PEM texts, one authority each. */
export type Bundle = readonly string[];

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** As one file, such as `tls-ca-cert-file` of the engine and `ca` of Node want it. */
export const bundleText = (bundle: Bundle): string => bundle.map((pem) => `${pem.trim()}\n`).join('');

/** The certificates in a file's text, in order; none when it holds none. */
export const parseBundle = (text: string): string[] => (text.match(PEM) ?? []).map((pem) => `${pem}\n`);

/** SHA-256 of a certificate as a whole (its DER), 64 lower-case hexadecimal digits. @throws Error when it is no certificate */
export const fingerprintOf = (certificate: string | X509Certificate): string =>
  (certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate)).fingerprint256
    .replaceAll(':', '')
    .toLowerCase();

/** The authority in the bundle that issued the certificate; null when none of them did. */
export function issuerIn(bundle: Bundle, certificate: X509Certificate): string | null {
  const issued = (pem: string): boolean => {
    const authority = new X509Certificate(pem);
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  };
  return bundle.find(issued) ?? null;
}
