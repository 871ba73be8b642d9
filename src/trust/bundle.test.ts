import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { it } from 'node:test';
import { machine, testAuthority } from '../../test/support/trust.ts';
import { bundleText, fingerprintOf, issuerIn, parseBundle } from './bundle.ts';

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

it('a fingerprint is the SHA-256 that `openssl x509 -fingerprint -sha256` shows', async () => {
  const { certificate, fingerprint } = await testAuthority();
  assert.match(fingerprint, /^[0-9a-f]{64}$/);
  assert.equal(fingerprintOf(certificate), fingerprint);
  assert.equal(new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase(), fingerprint);
});
