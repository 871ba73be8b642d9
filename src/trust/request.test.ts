import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { CONTROL, machine, testAuthority } from '../../test/support/trust.ts';
import { readRequest } from './authority.ts';
import { der } from './der.ts';
import { acceptReply, createRequest } from './request.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const HOUR_MS = 3_600_000;
const ALPHA = machine('alpha');

const unfit = (problem: RegExp) => valkeeperError('certificate_unfit', problem);

describe('what comes back for a request', () => {
  it('is taken when it fits', async () => {
    const authority = await testAuthority(NOW);
    const { key, certificate, bundle } = await authority.credentials(ALPHA, { now: NOW });
    assert.deepEqual(acceptReply(key, { certificate, bundle }, ALPHA, NOW), { key, certificate, bundle });
    const others = [(await testAuthority(NOW)).certificate, ...bundle];
    assert.ok(acceptReply(key, { certificate, bundle: others }, ALPHA, NOW), 'one of several authorities is enough');
  });

  it('is not taken for another key, another identity, or from another authority', async () => {
    const authority = await testAuthority(NOW);
    const { key, certificate, bundle } = await authority.credentials(ALPHA, { now: NOW });
    const accept =
      (identity = ALPHA, byKey = key, by = bundle, pem = certificate) =>
      () =>
        acceptReply(byKey, { certificate: pem, bundle: by }, identity, NOW);
    assert.throws(accept(ALPHA, createRequest(ALPHA).key), unfit(/another key/));
    assert.throws(accept(machine('beta')), unfit(/for the machine alpha, not for the machine beta/));
    assert.throws(accept(CONTROL), unfit(/not for a control plane/));
    assert.throws(accept(ALPHA, key, [(await testAuthority(NOW)).certificate]), unfit(/none of the authorities/));
    assert.throws(accept(ALPHA, key, []), unfit(/none of the authorities/));
    assert.throws(accept(ALPHA, key, bundle, 'nonsense'), unfit(/cannot be read/));
    assert.throws(accept(ALPHA, key, ['nonsense']), unfit(/cannot be read/));
  });

  it('is not taken when this clock says that it is not valid', async () => {
    const authority = await testAuthority(NOW);
    const { key, certificate, bundle } = await authority.credentials(ALPHA, { now: NOW, validityMs: HOUR_MS });
    const acceptAt = (now: number) => () => acceptReply(key, { certificate, bundle }, ALPHA, now);
    assert.throws(acceptAt(NOW - HOUR_MS), unfit(/not valid yet: this machine's clock says 2029-12-31T23:00:00/));
    assert.throws(acceptAt(NOW + HOUR_MS + 1), unfit(/has expired/));
    assert.ok(acceptAt(NOW - 299_000)(), 'five minutes behind is close enough');
  });
});

it('every request is for a new key, the one that stays behind', async () => {
  const [one, other] = [createRequest(ALPHA), createRequest(ALPHA)];
  assert.match(one.key, /^-----BEGIN PRIVATE KEY-----\n/);
  const { keyId } = await readRequest(one.request);
  const keyIdOf = (key: string): string =>
    createHash('sha256')
      .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
      .digest('hex');
  assert.equal(keyIdOf(one.key), keyId);
  assert.notEqual(keyIdOf(other.key), keyId);
});

it('DER has short and long lengths', () => {
  const lengthOf = (bytes: number): string => der(0x04, Buffer.alloc(bytes)).subarray(1, -bytes).toString('hex');
  assert.deepEqual([1, 127, 128, 255, 256, 65_535].map(lengthOf), ['01', '7f', '8180', '81ff', '820100', '82ffff']);
  assert.throws(() => der(0x04, Buffer.alloc(65_536)), RangeError);
});
