import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { CONTROL, machine, testAuthority } from '../../test/support/trust.ts';
import { createAuthority, openAuthority, readRequest } from './authority.ts';
import { fingerprintOf, issuerIn } from './bundle.ts';
import { validityOf } from './credentials.ts';
import { identityIn } from './identity.ts';
import { createRequest } from './request.ts';
import {
  BasicConstraintsExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from './x509.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const DAY_MS = 24 * 3_600_000;
const MINUTE_MS = 60_000;
const ALPHA = machine('alpha');

describe('an authority', () => {
  it('is ten years valid, signs certificates only, and is alone with its name', async () => {
    const [one, other] = [await createAuthority(NOW), await createAuthority(NOW)];
    const certificate = new X509Certificate(one.certificate);
    const { notBefore, notAfter } = validityOf(one.certificate);
    assert.ok(certificate.ca && certificate.verify(certificate.publicKey));
    assert.deepEqual(certificate.keyUsage, undefined, 'no extended use');
    assert.equal(notBefore, NOW - 5 * MINUTE_MS);
    assert.equal(new Date(notAfter).getUTCFullYear(), 2040);
    assert.notEqual(certificate.subject, new X509Certificate(other.certificate).subject);
  });

  it('goes on after it was kept and opened again', async () => {
    const pems = await createAuthority(NOW);
    const kept = JSON.parse(JSON.stringify(pems));
    const authority = await openAuthority(kept);
    assert.equal(authority.fingerprint, fingerprintOf(pems.certificate));
    const request = await readRequest(createRequest(ALPHA).request);
    const { certificate } = await authority.issue({ request, identity: ALPHA, addresses: [], now: NOW });
    assert.equal(issuerIn([pems.certificate], new X509Certificate(certificate)), pems.certificate);
  });

  it('is not opened with the key of another, or with no key at all', async () => {
    const [one, other] = [await createAuthority(NOW), await createAuthority(NOW)];
    const damaged = valkeeperError('authority_damaged');
    await assert.rejects(openAuthority({ ...one, key: other.key }), valkeeperError('authority_damaged', /not that of/));
    await assert.rejects(openAuthority({ ...one, key: '' }), damaged);
    await assert.rejects(openAuthority({ ...one, certificate: one.certificate.slice(0, 200) }), damaged);
  });
});

describe('a certificate', () => {
  const issued = async (identity = ALPHA, addresses = ['10.0.0.7', '2001:db8::7'], validityMs?: number) => {
    const authority = await openAuthority(await createAuthority(NOW));
    const request = await readRequest(createRequest(identity).request);
    const times = validityMs === undefined ? { now: NOW } : { now: NOW, validityMs };
    return authority.issue({ request, identity, addresses, hostNames: ['db.example.com'], ...times });
  };

  it('of a machine names it and its addresses, for both sides of a connection', async () => {
    const { certificate, serial, notAfter } = await issued();
    const read = new X509Certificate(certificate);
    assert.equal(read.subject, 'CN=alpha');
    assert.deepEqual(identityIn(read), ALPHA);
    assert.deepEqual(read.subjectAltName?.split(', '), [
      'URI:valkeeper://machine/alpha',
      'IP Address:10.0.0.7',
      'IP Address:2001:DB8:0:0:0:0:0:7',
      'DNS:db.example.com',
    ]);
    assert.ok(read.checkIP('10.0.0.7') && read.checkIP('2001:db8::7') && read.checkHost('db.example.com'));
    assert.deepEqual(read.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']); // serverAuth, clientAuth
    assert.equal(read.ca, false);
    assert.equal(read.serialNumber, serial);
    assert.deepEqual(validityOf(certificate), { notBefore: NOW - 5 * MINUTE_MS, notAfter: NOW + 30 * DAY_MS });
    assert.equal(notAfter, NOW + 30 * DAY_MS);
  });

  it('of a control plane is told from one of a machine, whatever the machine is called', async () => {
    const control = new X509Certificate((await issued(CONTROL)).certificate);
    assert.deepEqual(identityIn(control), CONTROL);
    const namedSo = new X509Certificate((await issued(machine('control'))).certificate);
    assert.deepEqual(identityIn(namedSo), machine('control'));
  });

  it('has a serial number of its own, of 128 random bits', async () => {
    const serials = await Promise.all(Array.from({ length: 16 }, async () => (await issued()).serial));
    assert.equal(new Set(serials).size, serials.length);
    assert.ok(
      serials.every((serial) => serial.length > 24 && serial.length <= 32),
      serials.join(' '),
    );
    assert.ok(new Set(serials.map((serial) => serial[0])).size > 4, 'the first bits are random, too');
  });

  it('does not outlive its authority', async () => {
    const { certificate } = await issued(ALPHA, [], 20 * 365 * DAY_MS);
    assert.equal(new Date(validityOf(certificate).notAfter).getUTCFullYear(), 2040);
  });

  it('is for names and addresses that are ones', async () => {
    const bad = ['10.0.0.256', 'alpha', '', '10.0.0.1, URI:valkeeper://control'];
    for (const address of bad) await assert.rejects(issued(ALPHA, [address]), valkeeperError('invalid_value'));
    for (const name of ['', 'Alpha', 'a/b', 'a b', 'x'.repeat(41), 'alpha, URI:valkeeper://control']) {
      await assert.rejects(issued(machine(name), []), valkeeperError('invalid_value', /name of a machine/));
    }
    const many = Array.from({ length: 33 }, (_, index) => `10.0.0.${index}`);
    await assert.rejects(issued(ALPHA, many), valkeeperError('invalid_value'));
  });
});

describe('a request', () => {
  const invalid = (problem: RegExp) => valkeeperError('certificate_request_invalid', problem);

  it('written by hand is what a library writes', async () => {
    const { commonName, keyId } = await readRequest(createRequest(ALPHA).request);
    assert.equal(commonName, 'alpha');
    assert.match(keyId, /^[0-9a-f]{64}$/);
  });

  it('two requests for one name are told apart by their keys', async () => {
    const [one, other] = await Promise.all([1, 2].map(() => readRequest(createRequest(ALPHA).request)));
    assert.notEqual(one!.keyId, other!.keyId);
    const same = createRequest(ALPHA).request;
    assert.equal((await readRequest(same)).keyId, (await readRequest(same)).keyId);
  });

  it('is not granted for another identity than it names', async () => {
    const authority = await openAuthority(await createAuthority(NOW));
    const request = await readRequest(createRequest(machine('beta')).request);
    const order = { request, identity: ALPHA, addresses: [], now: NOW };
    await assert.rejects(authority.issue(order), invalid(/for beta, not for alpha/));
    await assert.rejects(authority.issue({ ...order, identity: CONTROL }), invalid(/for beta/));
  });

  it('is refused when it is damaged, of another key, or too long', async () => {
    const { request } = createRequest(ALPHA);
    const bytes = Buffer.from(request.split('\n').slice(1, -2).join(''), 'base64');
    const pemOf = (der: Buffer): string =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    const { commonName, keyId } = await readRequest(pemOf(bytes));
    let refused = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0x01;
      const read = await readRequest(pemOf(changed)).catch((error: unknown) => {
        assert.ok(invalid(/./)(error), `byte ${at}: ${error}`);
        refused += 1;
        return { commonName, keyId };
      });
      assert.deepEqual([read.commonName, read.keyId], [commonName, keyId], `byte ${at} was changed unnoticed`);
    }
    assert.ok(refused > bytes.length - 10, `${bytes.length - refused} changes are of no consequence`);
    await assert.rejects(readRequest(''), invalid(/cannot be read/));
    await assert.rejects(readRequest('x'.repeat(4_097)), invalid(/longer than/));
    await assert.rejects(readRequest(pemOf(bytes.subarray(0, 60))), invalid(/cannot be read/));
  });

  it('must be for a P-256 key', async () => {
    const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' } as const;
    const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
    const other = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=alpha', keys, signingAlgorithm });
    await assert.rejects(readRequest(other.toString('pem')), invalid(/not ECDSA P-256/));
  });

  it('gets nothing of what it asks for beyond its key', async () => {
    const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
    const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
    const greedy = await Pkcs10CertificateRequestGenerator.create({
      name: 'CN=alpha',
      keys,
      signingAlgorithm,
      extensions: [
        new SubjectAlternativeNameExtension([{ type: 'url', value: 'valkeeper://control' }]),
        new BasicConstraintsExtension(true, 3, true),
      ],
    });
    const authority = await testAuthority(NOW);
    const request = await readRequest(greedy.toString('pem'));
    const { certificate } = await authority.issue({ request, identity: ALPHA, addresses: [], now: NOW });
    const read = new X509Certificate(certificate);
    assert.equal(read.subjectAltName, 'URI:valkeeper://machine/alpha');
    assert.equal(read.ca, false);
  });
});

it('a key and its certificate belong together', async () => {
  const { key, certificate } = await (await testAuthority(NOW)).credentials(ALPHA);
  assert.ok(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  assert.ok(!new X509Certificate(certificate).checkPrivateKey(privateKey));
});
