/** Certificates are renewed by themselves: of a machine, by its agent, and of the server. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { connect } from 'node:tls';
import { openMemoryStore } from '../../src/store/memory.ts';
import { MachineCredentials } from '../../src/trust/credential-files.ts';
import { clientOptions } from '../../src/trust/credentials.ts';
import { Door, until } from '../support/door.ts';
import { LOCALHOST } from '../support/trust.ts';

/** Dated back by five minutes, a certificate of this length is to be renewed two seconds after it was issued. */
const VALIDITY_MS = 153_000;
const LOOK_MS = 100;

/** The serial that new connections are shown. */
async function shownBy(door: Door, credentials: MachineCredentials): Promise<string> {
  const options = clientOptions(credentials.current, { kind: 'control' });
  const socket = connect({ host: LOCALHOST, port: door.listener.port, ...options });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return serialNumber;
}

const statusOf = (door: Door) => door.plane.fleet.status('alpha');

describe('a certificate', () => {
  it('is renewed by the agent while its link goes on, and by the server while its connections stay', async (t) => {
    const door = await Door.open(t, { validityMs: VALIDITY_MS, lookMs: LOOK_MS });
    const { agent, files, start } = await door.agent('alpha', { lookMs: LOOK_MS });
    const credentials = new MachineCredentials(files);
    const ofServer = await shownBy(door, credentials);
    const first = await until('it is connected', () => door.agents.machines().find((one) => one.connected) ?? null);
    const { serial } = first.certificate!;
    assert.equal(statusOf(door).certificate?.serial, serial);
    assert.equal(new X509Certificate(credentials.current.certificate).serialNumber, serial);

    await until('it has another', () => statusOf(door).certificate?.serial !== serial || null);
    await door.event('certificate_renewed', /^alpha uses a new certificate/);
    const { certificate, connected, since } = door.agents.machines()[0]!;
    assert.deepEqual([connected, since], [true, first.since], 'the same link');
    assert.equal(credentials.reload(), true, 'the files are others');
    assert.notEqual(new X509Certificate(credentials.current.certificate).serialNumber, serial);
    assert.ok(certificate!.notAfter > first.certificate!.notAfter);

    await until('so has the server', async () => (await shownBy(door, credentials)) !== ofServer || null);
    assert.equal(door.agents.machines()[0]!.since, first.since, 'the link still goes on');

    // What connects anew shows the new one, and is let in by it.
    await agent.close();
    await until('it is gone', () => !door.agents.machines()[0]!.connected || null);
    await start();
    const again = await until('it is back', () => door.agents.machines().find((one) => one.connected) ?? null);
    assert.notEqual(again.certificate?.serial, serial);
  });

  it('that cannot be renewed is told of, and the machine goes on with the one it has', async (t) => {
    const store = openMemoryStore();
    const door = await Door.open(t, { store, validityMs: VALIDITY_MS });
    await door.agent('alpha', { lookMs: LOOK_MS });
    await until('it is connected', () => statusOf(door).connected || null);
    const { serial } = statusOf(door).certificate!;
    // Another has taken the place of this machine meanwhile: whoever asks with the old key is refused.
    const record = (await store.get<{ certificate: object }>('machines/alpha'))!;
    const taken = { ...record.value, certificate: { ...record.value.certificate, keyIds: ['another'] } };
    assert.equal((await store.commit([{ put: 'machines/alpha', value: taken }])).ok, true);
    await door.plane.fleet.label('alpha', { rack: '7' }); // by a change the control plane sees that it has changed
    await door.event('certificate_not_renewed', /^The certificate of alpha, valid until .*, was not renewed: /);
    await door.event('join_refused', /^alpha, which wanted to renew its certificate, was refused/);
    const { certificate, connected } = statusOf(door);
    assert.deepEqual([certificate?.serial, connected], [serial, true]);
    assert.match(certificate?.problem ?? '', /not of the machine that has this name now/);
  });
});
