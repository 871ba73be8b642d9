/** Clients with TLS at the endpoint: the same port takes both, or TLS only; who is refused hears why. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { ClientTls } from '../../src/domain/spec.ts';
import { encodeCommand } from '../../src/resp/encode.ts';
import { ByteClient } from '../support/byte-client.ts';
import { endpointScene, type Scene, until } from '../support/endpoint-scene.ts';
import { machine, testAuthority, writeTlsFiles } from '../support/trust.ts';

const caOf = (scene: Scene): string => scene.trust!.authority.certificate;

/** The database is served with this setting from now on. */
async function withTls(scene: Scene, tls: ClientTls): Promise<void> {
  scene.config.databases[0]!.tls = tls;
  await scene.endpoint.serve(scene.config);
}

async function secure(scene: Scene, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: scene.host, port: scene.port, ca: caOf(scene), ...options });
  await once(socket, 'secureConnect');
  return socket;
}

async function said(socket: TLSSocket | import('node:net').Socket): Promise<string> {
  let text = '';
  socket.on('error', () => {}).on('data', (data) => (text += data));
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

describe('one port for clients with TLS and without', () => {
  it('serves ioredis and node-redis by rediss://, and plain clients beside them', async (t) => {
    const scene = await endpointScene(t, { shards: 2, tls: true, password: 'secret' });
    const url = `rediss://:secret@${scene.host}:${scene.port}/0`;
    const one = new Redis(url, { tls: { ca: caOf(scene) } });
    t.after(() => one.disconnect());
    const other = createClient({ url, socket: { tls: true, ca: caOf(scene) } });
    t.after(() => other.destroy());
    await other.connect();
    const plain = new Redis(scene.port, scene.host, { password: 'secret' });
    t.after(() => plain.disconnect());

    const long = 'x'.repeat(3_000_000);
    await one.set('long', long);
    assert.ok((await other.get('long')) === long);
    assert.ok((await plain.get('long')) === long);
    const keys = Array.from({ length: 2_000 }, (_, index) => `k:${index}`);
    const pipeline = one.pipeline();
    for (const key of keys) pipeline.set(key, key);
    await pipeline.exec();
    assert.deepEqual(await other.mGet(keys), keys);
    const replies = await Promise.all(keys.map((key) => other.get(key)));
    assert.deepEqual(replies, keys);
    const stranger = await secure(scene);
    stranger.write(encodeCommand(['AUTH', 'wrong']));
    assert.match(String((await once(stranger, 'data'))[0]), /^-WRONGPASS/);
    stranger.destroy();

    const heard = new Promise(
      (resolve) =>
        void other
          .duplicate()
          .connect()
          .then((listener) => {
            t.after(() => listener.destroy());
            return listener.subscribe('news', resolve).then(() => plain.publish('news', 'hello'));
          }),
    );
    assert.equal(await heard, 'hello');
    assert.deepEqual(await one.multi().incr('n').incr('n').exec(), [
      [null, 1],
      [null, 2],
    ]);
  });

  it('also where nodes speak plain text, and cluster clients', async (t) => {
    const scene = await endpointScene(t, { shards: 2 });
    const trusting = await endpointScene(t, { shards: 1, tls: true });
    scene.config.tls = trusting.trust!.files;
    await scene.endpoint.serve(scene.config);
    const { Cluster } = await import('ioredis');
    const cluster = new Cluster([{ host: scene.host, port: scene.port }], {
      redisOptions: { tls: { ca: caOf(trusting) } },
    });
    t.after(() => cluster.disconnect());
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => cluster.set(key, key)));
    assert.equal(await cluster.get('c'), 'c');
    const plain = await new ByteClient(scene.port).connected();
    t.after(() => void plain.destroy());
    assert.equal(await plain.ask('GET', 'd'), '$1\r\nd\r\n');
  });

  it('is believed by those only who believe the authority, and at its own address', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true });
    const wrong = (await testAuthority()).certificate;
    await assert.rejects(secure(scene, { ca: wrong }), /signature|self-signed|unable to/i);
    const elsewhere = connect({ host: scene.host, port: scene.port, ca: caOf(scene), servername: 'db.example.com' });
    await assert.rejects(once(elsewhere, 'secureConnect'), /altnames/i);
    const old = await secure(scene, { maxVersion: 'TLSv1.2' });
    old.write(encodeCommand(['PING']));
    assert.equal(String((await once(old, 'data'))[0]), '+PONG\r\n');
    old.destroy();
    await assert.rejects(secure(scene, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }));
  });

  it('answers what was sent before the end, in pieces of any size', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true });
    const commands = Array.from({ length: 300 }, (_, index) => encodeCommand(['ECHO', String(index)]));
    const expected = commands.map((_, index) => `$${String(index).length}\r\n${index}\r\n`).join('');
    const bytes = Buffer.concat(commands);
    const socket = await secure(scene);
    const answer = said(socket);
    for (let at = 0; at < bytes.length; at += 97) socket.write(bytes.subarray(at, at + 97));
    socket.end();
    assert.equal(await answer, expected);
    for (const step of [1, 50]) {
      const plain = connectPlain(scene.port, scene.host);
      const plainAnswer = said(plain);
      plain.setNoDelay(true);
      plain.write(bytes.subarray(0, step));
      await pause(20);
      plain.end(bytes.subarray(step));
      assert.equal(await plainAnswer, expected, `${step} bytes first`);
    }
  });
});

describe('TLS only', () => {
  it('is told to plain clients, ends those that are there, and takes effect at once', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true });
    const before = await new ByteClient(scene.port).connected();
    assert.match(await before.ask('PING'), /PONG/);
    const secured = new Redis(scene.port, scene.host, { tls: { ca: caOf(scene) } });
    t.after(() => secured.disconnect());
    let closes = 0;
    secured.on('close', () => (closes += 1));
    await secured.set('k', 'v');
    await withTls(scene, 'required');
    await before.closed();
    assert.equal(await secured.get('k'), 'v');
    assert.equal(closes, 0);

    const refused = connectPlain(scene.port, scene.host);
    refused.write(encodeCommand(['SET', 'k', 'w']));
    assert.match(await said(refused), /^-ERR this database takes clients with TLS only: connect by rediss:\/\//);
    const socket = { host: scene.host, port: scene.port, reconnectStrategy: false } as const;
    const client = createClient({ socket });
    client.on('error', () => {});
    await assert.rejects(client.connect(), /TLS only/);
    assert.equal(await secured.get('k'), 'v');
    assert.ok(scene.service.counts.plainRefused >= 2);

    await withTls(scene, 'optional');
    const after = await new ByteClient(scene.port).connected();
    t.after(() => void after.destroy());
    assert.equal(await after.ask('GET', 'k'), '$1\r\nv\r\n');
  });

  it('is not served where the machine has nothing to show', async (t) => {
    const scene = await endpointScene(t, { shards: 1 });
    const client = await new ByteClient(scene.port).connected();
    await withTls(scene, 'required');
    const [database] = scene.endpoint.status().databases;
    assert.match(database!.problem!, /takes clients with TLS only, and this machine has no credentials/);
    await client.closed();
    await assert.rejects(new ByteClient(scene.port).connected());
  });
});

describe('limits of the entrance', () => {
  it('who says nothing is a plain client after a while, and turned away where TLS is required', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true, limits: { handshakeMs: 300 } });
    const silent = await new ByteClient(scene.port).connected();
    t.after(() => void silent.destroy());
    await until('it is a client', async () => scene.service.peers.size === 1);
    assert.equal(await silent.ask('PING'), '+PONG\r\n');
    await withTls(scene, 'required');
    assert.match(await said(connectPlain(scene.port, scene.host)), /TLS only/);
  });

  it('a handshake that does not end is ended, and there are only so many', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true, limits: { handshakeMs: 1_000, handshakes: 3 } });
    const HALF = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]);
    const began = performance.now();
    const half = Array.from({ length: 3 }, () => connectPlain(scene.port, scene.host));
    const ends = half.map((socket) => said(socket));
    for (const socket of half) socket.write(HALF);
    await until('all have begun', async () => scene.service.drain(Number.POSITIVE_INFINITY) === 3);
    await assert.rejects(secure(scene), /reset|disconnected|closed/i);
    await Promise.all(ends);
    assert.ok(performance.now() - began >= 900);
    assert.equal(scene.service.counts.failedHandshakes, 4);
    (await secure(scene)).destroy();
    const nonsense = connectPlain(scene.port, scene.host);
    const answer = said(nonsense);
    nonsense.write(Buffer.from([0x16, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    await answer;
    assert.equal(scene.service.counts.failedHandshakes, 5);
  });

  it('one client too many is told so, through TLS as well', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true, limits: { clients: 1 } });
    const first = await secure(scene);
    first.write(encodeCommand(['PING']));
    await once(first, 'data');
    assert.match(await said(await secure(scene)), /max number of clients/);
    const plain = connectPlain(scene.port, scene.host);
    plain.write(encodeCommand(['PING']));
    assert.match(await said(plain), /max number of clients/);
    first.destroy();
  });

  it('a client with TLS that takes nothing is paused, then closed, as any other', async (t) => {
    const limits = { replyBytesPause: 100_000, replyBytesClose: 30_000_000 };
    const scene = await endpointScene(t, { shards: 1, tls: true, limits });
    const value = 'x'.repeat(1_000_000);
    const client = new Redis(scene.port, scene.host, { tls: { ca: caOf(scene) } });
    t.after(() => client.disconnect());
    await client.set('long', value);
    const slow = await secure(scene);
    slow.pause();
    const ask = (times: number): void => {
      for (let index = 0; index < times; index += 1) slow.write(encodeCommand(['GET', 'long']));
    };
    let bytes = 0;
    const all = (times: number) => async (): Promise<boolean> => bytes === times * (value.length + 12);
    const unread = (): number => Math.max(...[...scene.service.peers.values()].map((peer) => peer.unread));
    ask(20);
    await until('replies wait for it', async () => unread() > limits.replyBytesPause);
    ask(20); // it is read no further
    await pause(300);
    assert.ok(unread() < limits.replyBytesClose);
    slow.on('data', (data) => (bytes += data.length));
    slow.resume();
    await until('all has come', all(40));
    ask(1);
    await until('it is served as before', all(41));

    slow.pause();
    const closed = once(slow, 'close');
    ask(100);
    await until('it is closed', async () => scene.service.counts.slowClients === 1);
    slow.on('error', () => {}).resume();
    await closed;
  });
});

it('renewed certificates are shown to new clients, and old ones go on', async (t) => {
  const scene = await endpointScene(t, { shards: 1, tls: true });
  const shown = async (): Promise<string> => {
    const socket = await secure(scene);
    const { serialNumber } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return serialNumber;
  };
  const early = await secure(scene);
  const before = await shown();
  const { dir, authority } = scene.trust!;
  writeTlsFiles(dir, await authority.credentials(machine('machine-1')));
  assert.equal(await shown(), before);
  await scene.endpoint.serve(scene.config);
  assert.notEqual(await shown(), before);
  early.write(encodeCommand(['PING']));
  assert.equal(String((await once(early, 'data'))[0]), '+PONG\r\n');
  early.destroy();
});
