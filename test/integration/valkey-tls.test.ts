/** NodeConnection to real nodes that speak TLS with certificates of our authority: who is served, and who is refused why. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { tlsDirectives } from '../../src/domain/tls-directives.ts';
import { type Credentials, clientOptions, MIN_VERSION } from '../../src/trust/credentials.ts';
import { type Expected, refusalOf } from '../../src/trust/peer.ts';
import { EngineUnreachable, NodeConnection, type NodeConnectionOptions } from '../../src/valkey/connection.ts';
import { type RunningEngine, startEngine } from '../support/start-engine.ts';
import { tempDir } from '../support/temp-dir.ts';
import { CONTROL, machine, type TestAuthority, testAuthority, writeTlsFiles } from '../support/trust.ts';

const HOUR_MS = 3_600_000;
const PASSWORD = 'a-secret';
const ADMIN_USER = ['--user', 'admin', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'];
const ADMIN = { username: 'admin', password: PASSWORD };
const ALPHA: Expected = { kind: 'machine', name: 'alpha' };

/** A node on the machine `alpha`. */
async function startTlsNode(t: TestContext, credentials: Credentials): Promise<RunningEngine> {
  const files = writeTlsFiles(tempDir(t), credentials);
  const linesFor = (port: number) => tlsDirectives(files, port).flatMap(([name, value]) => [`--${name}`, value]);
  return startEngine(t, { args: (port) => [...ADMIN_USER, ...linesFor(port)] });
}

function connectionTo(t: TestContext, node: RunningEngine, options: Partial<NodeConnectionOptions>): NodeConnection {
  const { host, port } = node;
  const limits = { connectTimeoutMs: 2_000, commandTimeoutMs: 2_000, maxQueued: 100 };
  const connection = new NodeConnection({ host, port, ...ADMIN, ...limits, ...options });
  t.after(() => connection.close());
  return connection;
}

const unreachable =
  (reason: EngineUnreachable['reason'], detail = /./) =>
  (error: unknown) =>
    error instanceof EngineUnreachable && error.reason === reason && detail.test(error.message);

async function scene(t: TestContext): Promise<{ authority: TestAuthority; control: Credentials; node: RunningEngine }> {
  const authority = await testAuthority(Date.now() - 24 * HOUR_MS);
  const node = await startTlsNode(t, await authority.credentials(machine('alpha')));
  return { authority, control: await authority.credentials(CONTROL), node };
}

describe('a connection with TLS', () => {
  it('gives commands to the machine that was meant', async (t) => {
    const { control, node } = await scene(t);
    const connection = connectionTo(t, node, { tls: () => clientOptions(control, ALPHA) });
    assert.equal(await connection.command('ACL', 'WHOAMI'), 'admin');
    const value = 'x'.repeat(1_000_000);
    assert.equal(await connection.command('SET', 'large', value), 'OK');
    assert.ok((await connection.command('GET', 'large')) === value);
    const counted = Array.from({ length: 100 }, () => connection.command('INCR', 'counter'));
    assert.deepEqual(
      await Promise.all(counted),
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
  });

  it('asks for its certificate anew each time it connects', async (t) => {
    const { authority, control, node } = await scene(t);
    let credentials = await (await testAuthority()).credentials(CONTROL);
    const connection = connectionTo(t, node, { tls: () => clientOptions(credentials, ALPHA) });
    await assert.rejects(connection.command('PING'), unreachable('not_trusted'));
    credentials = control;
    assert.equal(await connection.command('PING'), 'PONG');
    const lost = await authority.credentials(CONTROL, { now: Date.now() - 2 * HOUR_MS, validityMs: HOUR_MS });
    credentials = lost;
    assert.equal(await connection.command('PING'), 'PONG', 'an open connection stays');
  });

  it('sends nothing to another machine, another authority, or one whose time is over', async (t) => {
    const { authority, control, node } = await scene(t);
    const tlsTo = (credentials: Credentials, expected: Expected) => ({
      tls: () => clientOptions(credentials, expected),
    });
    const beta = connectionTo(t, node, tlsTo(control, { kind: 'machine', name: 'beta' }));
    await assert.rejects(beta.command('SET', 'key', 'value'), unreachable('not_trusted', /the machine alpha/));
    const asControl = connectionTo(t, node, tlsTo(control, { kind: 'control' }));
    await assert.rejects(asControl.command('SET', 'key', 'value'), unreachable('not_trusted'));
    const stranger = connectionTo(t, node, tlsTo(await (await testAuthority()).credentials(CONTROL), ALPHA));
    await assert.rejects(stranger.command('SET', 'key', 'value'), unreachable('not_trusted'));
    for (const now of [Date.now() - 2 * HOUR_MS, Date.now() + HOUR_MS]) {
      const untimely = await authority.credentials(machine('alpha'), { now, validityMs: HOUR_MS });
      const other = connectionTo(t, await startTlsNode(t, untimely), tlsTo(control, ALPHA));
      await assert.rejects(other.command('PING'), unreachable('not_trusted', /expired|not yet valid/));
    }
    assert.equal(await connectionTo(t, node, tlsTo(control, ALPHA)).command('DBSIZE'), 0);
  });

  it('does not come about with what speaks no TLS, nor without TLS with what does', async (t) => {
    const { control, node } = await scene(t);
    const plain = await startEngine(t, { args: ADMIN_USER });
    const toPlain = connectionTo(t, plain, { connectTimeoutMs: 200, tls: () => clientOptions(control, ALPHA) });
    // It waits for the end of a command, or sees one in the handshake's random bytes and answers with an error.
    const noTls = (error: unknown): boolean => unreachable('timeout')(error) || unreachable('not_trusted')(error);
    await assert.rejects(toPlain.command('PING'), noTls);
    await assert.rejects(connectionTo(t, node, {}).command('PING'), unreachable('closed'));
  });
});

describe('a node', () => {
  /** What a client with these options comes to: it is served, refused for a reason, or fails in another way. */
  async function told(t: TestContext, { host, port }: RunningEngine, options: ConnectionOptions): Promise<unknown> {
    const socket = connect({ host, port, minVersion: MIN_VERSION, ...options });
    t.after(() => socket.destroy());
    socket.once('secureConnect', () => socket.write('*1\r\n$4\r\nPING\r\n'));
    try {
      await once(socket, 'data');
      return 'served';
    } catch (error) {
      return refusalOf(error as Error, ALPHA) ?? (error as Error).message;
    } finally {
      socket.destroy();
    }
  }

  it('says what it has against a certificate', async (t) => {
    const { authority, control, node } = await scene(t);
    const strange = await (await testAuthority()).credentials(CONTROL);
    const believing = { ...strange, bundle: [authority.certificate] };
    const untimely = (now: number) => authority.credentials(CONTROL, { now, validityMs: HOUR_MS });
    const refused = async (credentials: Credentials) => told(t, node, clientOptions(credentials, ALPHA));
    assert.equal(await refused(control), 'served');
    assert.deepEqual(await refused(believing), { why: 'refused_us', detail: 'unknown ca' });
    assert.deepEqual(await refused(await untimely(Date.now() - 2 * HOUR_MS)), {
      why: 'refused_us',
      detail: 'certificate expired',
    });
    assert.deepEqual(await refused(await untimely(Date.now() + HOUR_MS)), {
      why: 'refused_us',
      detail: 'bad certificate',
    });
    const none = { ca: authority.certificate, checkServerIdentity: () => undefined };
    assert.deepEqual(await told(t, node, none), { why: 'refused_us', detail: 'certificate required' });
  });

  it('that does not take our certificate has not admitted us', async (t) => {
    const { authority, node } = await scene(t);
    const strange = { ...(await (await testAuthority()).credentials(CONTROL)), bundle: [authority.certificate] };
    for (const credentials of [ADMIN, { username: undefined, password: undefined }]) {
      const options = { ...credentials, tls: () => clientOptions(strange, ALPHA) } as Partial<NodeConnectionOptions>;
      await assert.rejects(
        connectionTo(t, node, options).command('SET', 'a', 1),
        unreachable('not_admitted', /unknown ca/),
      );
    }
  });

  it('has no port without TLS', async (t) => {
    const { node } = await scene(t);
    const socket = connectPlain(node.port, node.host);
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    socket.write('*1\r\n$4\r\nPING\r\n');
    let bytes = '';
    socket.on('data', (data) => (bytes += data));
    await new Promise((resolve) => socket.once('close', resolve));
    assert.doesNotMatch(bytes, /PONG/);
  });

  it('keeps a connection whose certificate has expired meanwhile, and takes no new one but a session of before', async (t) => {
    const { authority, node } = await scene(t);
    const shortly = await authority.credentials(CONTROL, { validityMs: 2_000 });
    const tls = () => clientOptions(shortly, ALPHA);
    const early = connectionTo(t, node, { tls });
    assert.equal(await early.command('PING'), 'PONG');
    const visitor = connect({ host: node.host, port: node.port, ...tls() });
    const [session] = (await once(visitor, 'session')) as [Buffer];
    visitor.destroy();
    for (let accepted = true; accepted; ) {
      const late = connectionTo(t, node, { tls });
      accepted = await late.command('PING').then(
        () => true,
        (error: unknown) => {
          assert.ok(unreachable('not_admitted', /certificate expired/)(error));
          return false;
        },
      );
      late.close();
    }
    assert.equal(await early.command('PING'), 'PONG');
    assert.equal(await told(t, node, { ...tls(), session }), 'served', 'the engine does not verify a session again');
  });
});

it('a node does not start with files that do not fit', async (t) => {
  const [one, other] = [await testAuthority(), await testAuthority()];
  const credentials = await one.credentials(machine('alpha'));
  const { key } = await other.credentials(machine('alpha'));
  await assert.rejects(startTlsNode(t, { ...credentials, key }), /key values mismatch/);
});
