/** The first contact of a machine that joins, over real sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { valkeeperError } from '../../test/support/errors.ts';
import { CONTROL, LOCALHOST, machine, testAuthority, tlsServer } from '../../test/support/trust.ts';
import { fetchAuthority } from './pinned.ts';

const at = (port: number, fingerprint: string, timeoutMs = 5_000) => ({
  host: LOCALHOST,
  port,
  fingerprint,
  timeoutMs,
});

describe('the authority of a control plane', () => {
  it('is fetched by its fingerprint, and not a byte is sent', async (t) => {
    const authority = await testAuthority();
    let bytes = 0;
    const { port, server } = await tlsServer(t, await authority.credentials(CONTROL), (socket) =>
      socket.on('data', (data) => (bytes += data.length)),
    );
    const connected = once(server, 'connection');
    const found = await fetchAuthority(at(port, authority.fingerprint));
    assert.equal(found.trim(), authority.certificate.trim());
    const [connection] = (await connected) as [Socket];
    if (!connection.destroyed) await once(connection, 'close');
    assert.equal(bytes, 0);
  });

  it('is not taken from another, whoever that is', async (t) => {
    const [authority, stranger] = [await testAuthority(), await testAuthority()];
    const { port } = await tlsServer(t, await stranger.credentials(CONTROL));
    const wrong = valkeeperError('wrong_control_plane', new RegExp(authority.fingerprint));
    await assert.rejects(fetchAuthority(at(port, authority.fingerprint)), wrong);
    const { certificate, key } = await authority.credentials(machine('alpha'));
    const bare = createTlsServer({ cert: certificate, key, minVersion: 'TLSv1.3' }, (socket) =>
      socket.on('error', () => {}),
    );
    t.after(() => bare.close());
    await once(bare.listen(0, LOCALHOST), 'listening');
    const { port: barePort } = bare.address() as { port: number };
    await assert.rejects(fetchAuthority(at(barePort, authority.fingerprint)), wrong, 'it does not show the authority');
  });

  it('is not there: nobody listens, no TLS, no answer', async (t) => {
    const authority = await testAuthority();
    const silent = createServer((socket) => socket.on('error', () => {}).resume());
    const plain = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    t.after(() => plain.close());
    for (const server of [silent, plain]) await once(server.listen(0, LOCALHOST), 'listening');
    const portOf = (server: typeof plain): number => (server.address() as { port: number }).port;
    const noAnswer = (detail: RegExp) => valkeeperError('no_answer', detail);
    await assert.rejects(fetchAuthority(at(portOf(plain), authority.fingerprint)), noAnswer(/https:.*wrong version/));
    await assert.rejects(fetchAuthority(at(portOf(silent), authority.fingerprint, 200)), noAnswer(/within 200 ms/));
    const port = portOf(silent);
    silent.close();
    await once(silent, 'close');
    await assert.rejects(fetchAuthority(at(port, authority.fingerprint)), noAnswer(/ECONNREFUSED/));
  });
});
