/** Real handshakes: who gets in, who does not, and what is said of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { valkeeperError } from '../../test/support/errors.ts';
import { CONTROL, LOCALHOST, machine, testAuthority, tlsServer } from '../../test/support/trust.ts';
import { type Credentials, clientOptions, MIN_VERSION, serverOptions } from './credentials.ts';
import type { Identity } from './identity.ts';
import { checkPeer, type Expected, type Peer, type Refusal, refusalOf } from './peer.ts';
import { peerError } from './peer-error.ts';

const HOUR_MS = 3_600_000;
const ALPHA = machine('alpha');
const BETA = machine('beta');
const EXPIRED = { now: Date.now() - 2 * HOUR_MS, validityMs: HOUR_MS };
const NOT_YET = { now: Date.now() + HOUR_MS };

/** What a client that expects somebody makes of a server: null when the handshake is fine. */
async function dial(
  t: TestContext,
  server: Credentials,
  client: Credentials,
  expected: Expected,
): Promise<{ refusal: Refusal | null; bytes: number }> {
  let bytes = 0;
  const { port } = await tlsServer(t, server, (socket) => socket.on('data', (data) => (bytes += data.length)));
  const socket = connect({ host: LOCALHOST, port, ...clientOptions(client, expected) });
  t.after(() => socket.destroy());
  try {
    await once(socket, 'secureConnect');
    return { refusal: null, bytes };
  } catch (error) {
    const refusal = refusalOf(error as Error, expected);
    assert.notEqual(refusal, null, `not told: ${(error as NodeJS.ErrnoException).code} ${error}`);
    return { refusal, bytes };
  }
}

/** What a server that expects somebody makes of a client; without credentials it shows no certificate. */
async function greet(
  t: TestContext,
  server: Credentials,
  client: Credentials | null,
  expected: Expected,
): Promise<Peer> {
  const { promise: peer, resolve } = Promise.withResolvers<Peer>();
  const { port } = await tlsServer(t, server, (socket) => resolve(checkPeer(socket, expected, Date.now())));
  const shown: ConnectionOptions = client === null ? { minVersion: MIN_VERSION } : serverOptions(client);
  const socket = connect({ host: LOCALHOST, port, ...shown, rejectUnauthorized: false });
  t.after(() => socket.destroy());
  return peer;
}

const why = ({ refusal }: { refusal: Refusal | null }): string | undefined => refusal?.why;

describe('a server, to a client', () => {
  it('is accepted when it is who was meant', async (t) => {
    const authority = await testAuthority();
    const [control, alpha] = [await authority.credentials(CONTROL), await authority.credentials(ALPHA)];
    assert.equal(why(await dial(t, control, alpha, { kind: 'control' })), undefined);
    assert.equal(why(await dial(t, alpha, control, { kind: 'machine', name: 'alpha' })), undefined);
    assert.equal(why(await dial(t, alpha, control, { kind: 'machine' })), undefined);
  });

  it('is refused when it is of another kind or name', async (t) => {
    const authority = await testAuthority();
    const [control, alpha] = [await authority.credentials(CONTROL), await authority.credentials(ALPHA)];
    const posing = await dial(t, alpha, alpha, { kind: 'control' });
    assert.deepEqual(posing, {
      refusal: { why: 'another_kind', found: ALPHA, expected: { kind: 'control' } },
      bytes: 0,
    });
    const beta = await dial(t, alpha, control, { kind: 'machine', name: 'beta' });
    assert.deepEqual(beta.refusal, {
      why: 'another_name',
      found: ALPHA,
      expected: { kind: 'machine', name: 'beta' },
    });
    assert.equal(why(await dial(t, control, alpha, { kind: 'machine' })), 'another_kind');
  });

  it('is refused when it is from another authority', async (t) => {
    const alpha = await (await testAuthority()).credentials(ALPHA);
    const stranger = await (await testAuthority()).credentials(CONTROL);
    assert.equal(why(await dial(t, stranger, alpha, { kind: 'control' })), 'wrong_authority');
  });

  it('is accepted from either of two authorities that are believed', async (t) => {
    const [old, next] = [await testAuthority(), await testAuthority()];
    const alpha = await old.credentials(ALPHA);
    const both = { ...alpha, bundle: [old.certificate, next.certificate] };
    assert.equal(why(await dial(t, await next.credentials(CONTROL), both, { kind: 'control' })), undefined);
    assert.equal(why(await dial(t, await old.credentials(CONTROL), both, { kind: 'control' })), undefined);
    assert.equal(why(await dial(t, await next.credentials(CONTROL), alpha, { kind: 'control' })), 'wrong_authority');
  });

  it('is refused when its certificate has expired or is not valid yet', async (t) => {
    const authority = await testAuthority(Date.now() - 24 * HOUR_MS);
    const alpha = await authority.credentials(ALPHA);
    assert.equal(
      why(await dial(t, await authority.credentials(CONTROL, EXPIRED), alpha, { kind: 'control' })),
      'expired',
    );
    const future = await authority.credentials(CONTROL, NOT_YET);
    assert.equal(why(await dial(t, future, alpha, { kind: 'control' })), 'not_yet_valid');
  });
});

describe('a client, to a server', () => {
  it('is known when it is who should be there', async (t) => {
    const authority = await testAuthority();
    const control = await authority.credentials(CONTROL);
    const peer = await greet(t, control, await authority.credentials(ALPHA), { kind: 'machine', name: 'alpha' });
    assert.ok(peer.accepted);
    assert.deepEqual(peer.identity, ALPHA);
    assert.equal(peer.certificate.subject, 'CN=alpha');
  });

  it('is refused for what is wrong with it', async (t) => {
    const authority = await testAuthority(Date.now() - 24 * HOUR_MS);
    const control = await authority.credentials(CONTROL);
    const refused = async (client: Credentials | null, expected: Expected = { kind: 'machine' }) => {
      const peer = await greet(t, control, client, expected);
      assert.ok(!peer.accepted);
      return peer.refusal;
    };
    const stranger = await testAuthority(Date.now() - 24 * HOUR_MS);
    assert.deepEqual(await refused(null), { why: 'no_certificate' });
    assert.equal((await refused(await stranger.credentials(ALPHA))).why, 'wrong_authority');
    assert.equal((await refused(await stranger.credentials(ALPHA, EXPIRED))).why, 'expired');
    assert.deepEqual(await refused(await authority.credentials(ALPHA, EXPIRED)), {
      why: 'expired',
      at: Math.floor((EXPIRED.now + HOUR_MS) / 1000) * 1000,
    });
    assert.equal((await refused(await authority.credentials(ALPHA, NOT_YET))).why, 'not_yet_valid');
    assert.equal((await refused(await authority.credentials(CONTROL))).why, 'another_kind');
    const beta = await refused(await authority.credentials(BETA), { kind: 'machine', name: 'alpha' });
    assert.deepEqual(beta, { why: 'another_name', found: BETA, expected: { kind: 'machine', name: 'alpha' } });
  });

  it('that expired since its session began is refused when it takes up the session again', async (t) => {
    const authority = await testAuthority();
    const control = await authority.credentials(CONTROL);
    const alpha = await authority.credentials(ALPHA);
    const peers: Peer[] = [];
    const later = Date.now() + 31 * 24 * HOUR_MS;
    let reused = false;
    const { port } = await tlsServer(t, control, (socket) => {
      reused = socket.isSessionReused();
      peers.push(checkPeer(socket, { kind: 'machine' }, peers.length === 0 ? Date.now() : later));
      socket.end('known\n');
    });
    let ticket: Buffer | undefined;
    const visit = async (): Promise<void> => {
      const options = {
        ...clientOptions(alpha, { kind: 'control' }),
        ...(ticket === undefined ? {} : { session: ticket }),
      };
      const socket = connect({ host: LOCALHOST, port, ...options });
      socket.on('session', (session) => (ticket = session));
      socket.resume();
      await once(socket, 'close');
    };
    await visit();
    await visit();
    assert.ok(reused);
    assert.deepEqual(
      peers.map((peer) => peer.accepted || peer.refusal.why),
      [true, 'expired'],
    );
  });
});

it('renewed credentials serve new connections, and open ones stay', async (t) => {
  const authority = await testAuthority();
  const [first, renewed] = [await authority.credentials(CONTROL), await authority.credentials(CONTROL)];
  const alpha = await authority.credentials(ALPHA);
  const { port, server } = await tlsServer(t, first, (socket) => socket.pipe(socket));
  const visit = async () => {
    const socket = connect({ host: LOCALHOST, port, ...clientOptions(alpha, { kind: 'control' }) });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    return { socket, serial: socket.getPeerX509Certificate()!.serialNumber };
  };
  const early = await visit();
  server.setSecureContext(serverOptions(renewed));
  assert.notEqual((await visit()).serial, early.serial);
  early.socket.write('still here');
  const [data] = (await once(early.socket, 'data')) as [Buffer];
  assert.equal(String(data), 'still here');
});

it('a connection that is refused for other reasons is not about trust', async (t) => {
  const { port, server } = await tlsServer(t, await (await testAuthority()).credentials(CONTROL));
  server.close();
  await once(server, 'close');
  const socket = connect({ host: LOCALHOST, port });
  const [error] = (await once(socket, 'error')) as [Error];
  assert.equal(refusalOf(error, { kind: 'control' }), null);
});

describe('what people are told', () => {
  const at = Date.parse('2030-01-01T00:00:00Z');
  const found: Identity = BETA;
  const cases: [Refusal, Parameters<typeof valkeeperError>][] = [
    [{ why: 'no_certificate' }, ['peer_no_certificate', /^The agent showed no certificate\.$/]],
    [{ why: 'wrong_authority', detail: 'INVALID_CA' }, ['peer_wrong_authority', /INVALID_CA/]],
    [{ why: 'refused_us', detail: 'unknown ca' }, ['peer_refused_us', /unknown ca/]],
    [{ why: 'expired', at }, ['peer_expired', /\(at 2030-01-01T00:00:00.000Z\).* says 2030-01-01T01/]],
    [{ why: 'not_yet_valid', at: null }, ['peer_not_yet_valid', /not valid yet; the clock/]],
    [
      { why: 'another_kind', found: null, expected: { kind: 'machine' } },
      ['peer_another_kind', /should be a machine.* of nobody/],
    ],
    [
      { why: 'another_name', found, expected: { kind: 'machine', name: 'alpha' } },
      ['peer_another_name', /the machine alpha.* the machine beta/],
    ],
  ];
  for (const [refusal, expected] of cases) {
    it(refusal.why, () => assert.ok(valkeeperError(...expected)(peerError(refusal, 'The agent', at + HOUR_MS))));
  }
});
