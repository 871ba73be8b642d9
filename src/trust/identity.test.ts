import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { describeIdentity, type Identity, identityIn } from './identity.ts';
import { type JsonGeneralName, SubjectAlternativeNameExtension, X509CertificateGenerator } from './x509.ts';

/** Who a certificate with these alternative names is for; any authority of the world might have made it. */
async function read(...names: JsonGeneralName[]): Promise<Identity | null> {
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=alpha',
    signingAlgorithm,
    keys: await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']),
    extensions: names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)],
  });
  return identityIn(new X509Certificate(certificate.toString('pem')));
}

const url = (value: string): JsonGeneralName => ({ type: 'url', value });
const dns = (value: string): JsonGeneralName => ({ type: 'dns', value });
const ALPHA: Identity = { kind: 'machine', name: 'alpha' };

describe('the identity in a certificate', () => {
  it('is its one URI of ours, whatever stands beside it', async () => {
    assert.deepEqual(await read(url('valkeeper://machine/alpha')), ALPHA);
    assert.deepEqual(await read(dns('a.example'), url('valkeeper://machine/alpha'), url('https://example.com')), ALPHA);
    assert.deepEqual(await read(url('valkeeper://control')), { kind: 'control' });
  });

  it('is nobody where there is none, more than one, or one that is not exactly as it should be', async () => {
    assert.equal(await read(), null, 'the common name says nothing');
    assert.equal(await read(dns('valkeeper://machine/alpha')), null);
    assert.equal(await read(url('valkeeper://machine/alpha'), url('valkeeper://control')), null);
    const wrong = [
      'machine',
      'machine/',
      'machine/Alpha',
      'machine/a/b',
      'control/',
      'control/x',
      'operator/x',
      'machine/a%20b',
      '',
    ];
    for (const path of wrong) assert.equal(await read(url(`valkeeper://${path}`)), null, path);
    assert.equal(await read(url('https://valkeeper://control')), null);
  });

  it('cannot be written into another name', async () => {
    const within = ', URI:valkeeper://machine/alpha, ';
    assert.equal(await read(dns(`a${within}b`)), null);
    assert.equal(await read(url(`https://a/${within}`)), null);
    assert.equal(await read(dns(`a${within}b`), url('valkeeper://control')), null);
  });
});

it('a sentence says who it is', () => {
  assert.deepEqual([ALPHA, { kind: 'control' } as const, null].map(describeIdentity), [
    'the machine alpha',
    'a control plane',
    'nobody that Valkeeper knows',
  ]);
});
