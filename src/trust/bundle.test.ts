import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { it } from 'node:test';
import { machine, testAuthority } from '../../test/support/trust.ts';
import { bundleText, fingerprintOf, issuerIn, parseBundle } from './bundle.ts';
import { X509Certificate as ParsedCertificate, X509CertificateGenerator } from './x509.ts';

it('a bundle is one file and a list again', async () => {
  const pems = [(await testAuthority()).certificate, (await testAuthority()).certificate];
  const text = bundleText(pems);
  assert.deepEqual(parseBundle(text), pems);
  assert.deepEqual(parseBundle(`Old authority:\n${text}\n# end\n`), pems, 'whatever stands between');
  assert.deepEqual(parseBundle(''), []);
});

it('the issuer is found among several, by signature and not by name', async () => {
  const [one, other] = [await testAuthority(), await testAuthority()];
  const { certificate } = await other.credentials(machine('alpha'));
  const read = new X509Certificate(certificate);
  assert.equal(issuerIn([one.certificate, other.certificate], read), other.certificate);
  assert.equal(issuerIn([one.certificate], read), null);
  assert.equal(issuerIn([], read), null);
});

it('who has only the name of an authority and its key identifier has issued nothing', async () => {
  const authority = await testAuthority();
  const { certificate } = await authority.credentials(machine('alpha'));
  const original = new ParsedCertificate(authority.certificate);
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
  const forged = await X509CertificateGenerator.createSelfSigned({
    name: original.subjectName.toJSON(),
    notBefore: original.notBefore,
    notAfter: original.notAfter,
    signingAlgorithm,
    keys: await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']),
    extensions: original.extensions,
  });
  const read = new X509Certificate(certificate);
  assert.ok(read.checkIssued(new X509Certificate(forged.toString('pem'))), 'it looks like the issuer');
  assert.equal(issuerIn([forged.toString('pem')], read), null);
});

it('a fingerprint is the SHA-256 that `openssl x509 -fingerprint -sha256` shows', async () => {
  const { certificate, fingerprint } = await testAuthority();
  assert.match(fingerprint, /^[0-9a-f]{64}$/);
  assert.equal(fingerprintOf(certificate), fingerprint);
  assert.equal(new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase(), fingerprint);
});
