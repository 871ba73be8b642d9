/** Which key a certificate is for: what tells a machine from another that took its name. */
import { createHash, type X509Certificate } from 'node:crypto';

/** SHA-256 of the public key, in hexadecimal digits: as `readRequest` tells it of the request for this certificate. */
export const keyIdOf = (certificate: X509Certificate): string =>
  createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
