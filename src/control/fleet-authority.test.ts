import assert from 'node:assert/strict';
import { it } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { openMemoryStore } from '../store/memory.ts';
import { fleetAuthority } from './fleet-authority.ts';

it('is made once, whoever needs it first, and is the same for all servers on one store', async () => {
  const store = openMemoryStore();
  const [one, other] = [fleetAuthority(store, systemClock), fleetAuthority(store, systemClock)];
  assert.deepEqual(await store.list('authority'), [], 'nothing is made before it is needed');
  const [first, second] = await Promise.all([one(), other()]);
  assert.equal(first.fingerprint, second.fingerprint);
  assert.equal((await fleetAuthority(store, systemClock)()).fingerprint, first.fingerprint, 'after a restart');
  assert.equal(await one(), first, 'opened once');
});

it('that is damaged is no reason to make another, and is read again when it has been put back', async () => {
  const store = openMemoryStore();
  await fleetAuthority(store, systemClock)();
  const whole = (await store.get<{ certificate: string; key: string }>('authority'))!.value;
  await store.commit([{ put: 'authority', value: { ...whole, key: '' } }]);
  const authority = fleetAuthority(store, systemClock);
  await assert.rejects(authority(), valkeeperError('authority_damaged'));
  await store.commit([{ put: 'authority', value: whole }]);
  assert.equal((await authority()).certificate, whole.certificate);
});
