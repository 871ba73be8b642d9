import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { keySlot } from '../../src/domain/key-slot.ts';
import type { Limits } from '../../src/proxy/limits.ts';
import { encodeCommand } from '../../src/resp/encode.ts';
import { runFuzz } from '../fuzz/run.ts';
import { ByteClient } from '../support/byte-client.ts';
import { endpointScene, type Scene, until } from '../support/endpoint-scene.ts';

const MIB = 1024 ** 2;

describe('limits of an endpoint', () => {
  const ends: (() => unknown)[] = [];
  const t = { after: (end: () => unknown) => void ends.push(end) };
  let made: Promise<Scene> | null = null;
  /** One cluster for all; each test sets the limits it looks at, and they are as before afterwards. */
  async function withLimits(test: TestContext, limits: Partial<Limits>): Promise<Scene> {
    made ??= endpointScene(t as never, { shards: 2 });
    const scene = await made;
    const before = { ...scene.service.limits };
    Object.assign(scene.service.limits, limits);
    test.after(() => Object.assign(scene.service.limits, before));
    return scene;
  }
  const open = async (test: TestContext, { port }: Scene): Promise<ByteClient> => {
    const client = await new ByteClient(port).connected();
    test.after(() => client.destroy());
    return client;
  };
  const gone = ({ service }: Scene) => until('nobody is left', async () => service.peers.size === 0);

  it('turns away clients that are too many, and says so; another one may come when one has gone', async (test) => {
    const scene = await withLimits(test, { clients: 2 });
    const [first, second] = [await open(test, scene), await open(test, scene)];
    assert.equal(await first.ask('PING'), '+PONG\r\n');
    assert.equal(await second.ask('PING'), '+PONG\r\n');
    const third = await open(test, scene);
    third.send('PING');
    assert.deepEqual(await third.closed(), ['-ERR max number of clients reached\r\n']);
    third.destroy();
    const rude = connect(scene.port, scene.host);
    await once(rude, 'connect');
    rude.resetAndDestroy();
    second.destroy();
    await until('one has gone', async () => scene.service.peers.size === 1);
    assert.equal(await (await open(test, scene)).ask('PING'), '+PONG\r\n');
    assert.ok(scene.service.counts.rejected >= 1);
  });

  it('ends a client whose command is too long, whether it comes whole or in parts', async (test) => {
    const scene = await withLimits(test, { commandBytes: 1_000 });
    const texts = [
      encodeCommand(['SET', 'a', 'x'.repeat(1_000)]),
      '*2\r\n$3\r\nGET\r\n$1000000\r\n',
      '*1000\r\n$1\r\n',
    ];
    for (const text of texts) {
      const client = await open(test, scene);
      client.send('SET', 'a', 1);
      client.write(text);
      const replies = ['+OK\r\n', '-ERR Protocol error: a command is longer than the limit of 1000 bytes\r\n'];
      assert.deepEqual(await client.closed(), replies);
    }
    assert.equal(scene.service.counts.longCommands, texts.length);
  });

  it('makes no room for bytes that were only promised', async (test) => {
    const scene = await withLimits(test, {});
    const clients = await Promise.all(Array.from({ length: 50 }, () => open(test, scene)));
    for (const client of clients) client.write('*1\r\n$536870912\r\nabc');
    await until('all are read', async () => scene.service.counts.bytesIn > 0);
    await pause(100);
    assert.ok(scene.service.underWay.bytes < 50 * 16 * 1024, String(scene.service.underWay.bytes));
    for (const client of clients) client.destroy();
    await gone(scene);
    assert.equal(scene.service.underWay.bytes, 0);
  });

  it('reads a client no further while too many of its commands are under way, and loses none', async (test) => {
    const scene = await withLimits(test, { inFlightPerClient: 8 });
    const client = await open(test, scene);
    for (let index = 0; index < 2_000; index += 1) client.send('SET', `key:${index}`, index);
    for (let index = 0; index < 2_000; index += 1) client.send('GET', `key:${index}`);
    let most = 0;
    const watch = setInterval(() => {
      for (const peer of scene.service.peers.values()) most = Math.max(most, peer.inFlight);
    }, 1);
    for (let index = 0; index < 2_000; index += 1) assert.equal(await client.next(), '+OK\r\n');
    for (let index = 0; index < 2_000; index += 1) {
      assert.equal(await client.next(), `$${String(index).length}\r\n${index}\r\n`);
    }
    clearInterval(watch);
    assert.ok(most <= 8, String(most));
  });

  it('answers all that was asked before the last byte, though it was held up', async (test) => {
    const scene = await withLimits(test, { inFlightPerClient: 4 });
    const client = await open(test, scene);
    const commands = Array.from({ length: 500 }, (_, index) => encodeCommand(['ECHO', index]));
    client.socket.end(Buffer.concat([...commands, encodeCommand(['GET', 'none'])]));
    const replies = await client.closed();
    assert.equal(replies.length, 501);
    assert.equal(replies[500], '$-1\r\n');
  });

  it('ends a client that does not take its replies; others are served, and memory is bounded', async (test) => {
    const scene = await withLimits(test, { replyBytesPause: MIB, replyBytesClose: 20 * MIB });
    const [slow, other] = [await open(test, scene), await open(test, scene)];
    await other.ask('SET', 'big', 'x'.repeat(MIB));
    slow.socket.pause();
    for (let index = 0; index < 50; index += 1) slow.send('GET', 'big');
    let longest = 0;
    for (let round = 0; round < 200; round += 1) {
      const began = performance.now();
      assert.equal(await other.ask('GET', 'none'), '$-1\r\n');
      longest = Math.max(longest, performance.now() - began);
      assert.ok(scene.service.underWay.bytes < 64 * MIB);
    }
    await until('the slow one is ended', async () => scene.service.counts.slowClients === 1);
    assert.ok(longest < 5_000, `${longest} ms`);
    other.destroy();
    await gone(scene);
    assert.equal(scene.service.underWay.bytes, 0);
  });

  it('stops reading a client that takes no replies before they become many, and goes on when it does', async (test) => {
    const scene = await withLimits(test, { replyBytesPause: 64 * 1024 });
    const client = await open(test, scene);
    client.socket.pause();
    const text = 'x'.repeat(10_000);
    const asked = 5_000;
    for (let index = 0; index < asked; index += 1) client.send('ECHO', text);
    await pause(500);
    const [peer] = [...scene.service.peers.values()];
    assert.ok(peer!.unread < 2 * MIB, `${peer!.unread} bytes unread`);
    client.socket.resume();
    for (let index = 0; index < asked; index += 1) assert.equal((await client.next()).length, 10_010);
  });

  it('keeps little for a slow reader who asks for little at a time', async (test) => {
    const scene = await withLimits(test, {});
    const client = await open(test, scene);
    client.socket.pause();
    client.send('ECHO', 'x'.repeat(8 * MIB));
    await until('it is slow', async () => [...scene.service.peers.values()][0]!.unread > 0);
    const before = process.memoryUsage().arrayBuffers;
    const [peer] = [...scene.service.peers.values()];
    for (let index = 0; index < 1_000; index += 1) {
      (peer as unknown as { write(bytes: Buffer, from: number, to: number): void }).write(Buffer.from('>0\r\n'), 0, 4);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 8 * MIB, `${grown} bytes for 4,000`);
  });

  it('ends the client that has most when all memory is used up, and nobody else', async (test) => {
    const scene = await withLimits(test, { totalBytes: 8 * MIB });
    const [large, small] = [await open(test, scene), await open(test, scene)];
    small.write('*2\r\n$4\r\nECHO\r\n$3\r\na');
    large.write(`*2\r\n$4\r\nECHO\r\n$${32 * MIB}\r\n`);
    for (let index = 0; index < 16 && !large.isClosed; index += 1) {
      large.write('x'.repeat(MIB));
      await pause(10);
    }
    const replies = await large.closed();
    assert.match(replies.join(''), /^-ERR the endpoint's memory .* is used up/);
    small.write('bc\r\n');
    assert.equal(await small.next(), '$3\r\nabc\r\n');
    assert.equal(scene.service.counts.largeClients, 1);
    small.destroy();
    await gone(scene);
    assert.equal(scene.service.underWay.bytes, 0);
  });

  it('gives back what a client had under way when it goes', async (test) => {
    const scene = await withLimits(test, {});
    for (let round = 0; round < 20; round += 1) {
      const client = await open(test, scene);
      for (let index = 0; index < 200; index += 1) client.send('SET', `key:${index}`, 'x'.repeat(1_000));
      client.send('MGET', ...Array.from({ length: 100 }, (_, index) => `key:${index}`));
      client.send('MULTI');
      client.send('SET', 'a', 'x'.repeat(10_000));
      client.send('BLPOP', 'queue:none', 0);
      client.write('*2\r\n$3\r\nGET\r\n$100000\r\nabc');
      if (round % 2 === 0) await client.next();
      client.destroy();
    }
    await gone(scene);
    await until('nothing is under way', async () => scene.service.underWay.bytes === 0);
    for (const lane of scene.service.lanes()) {
      await until('no command is left', async () => [...lane.open()].every(([, { inFlight }]) => inFlight === 0));
    }
  });

  it('ends a client that says nothing for too long, but none that waits for a message', async (test) => {
    const scene = await withLimits(test, { idleMs: 300 });
    const [idle, subscriber, blocked] = [await open(test, scene), await open(test, scene), await open(test, scene)];
    await idle.ask('PING');
    await subscriber.ask('SUBSCRIBE', 'a');
    blocked.send('BLPOP', 'queue:none', 0);
    assert.deepEqual(await idle.closed(), []);
    await pause(1_000);
    assert.deepEqual([subscriber.isClosed, blocked.isClosed, scene.service.counts.idleClients], [false, false, 1]);
  });

  it('serves others beside 2,000 idle clients', async (test) => {
    const scene = await withLimits(test, {});
    const idle = await Promise.all(Array.from({ length: 2_000 }, () => open(test, scene)));
    const client = await open(test, scene);
    for (let round = 0; round < 200; round += 1) assert.equal(await client.ask('GET', 'none'), '$-1\r\n');
    for (const one of idle) one.destroy();
    client.destroy();
    await gone(scene);
  });

  it('refuses a transaction that is too large, and carries out nothing of it', async (test) => {
    const client = await open(test, await withLimits(test, { transactionBytes: 1_000 }));
    assert.equal(await client.ask('MULTI'), '+OK\r\n');
    assert.equal(await client.ask('SET', '{tx}a', '1'), '+QUEUED\r\n');
    assert.match(
      await client.ask('SET', '{tx}b', 'x'.repeat(1_000)),
      /^-ERR the transaction is larger than the limit of 1000 bytes/,
    );
    assert.match(await client.ask('EXEC'), /^-EXECABORT /);
    assert.equal(await client.ask('EXISTS', '{tx}a'), ':0\r\n');
  });

  // `GET a` takes 20 bytes: two may wait, a third may not.
  for (const limit of [{ waitingCommands: 2 }, { waitingBytes: 50 }]) {
    it(`refuses what waits for a node beyond ${Object.keys(limit)}, and after a time`, async (test) => {
      const scene = await withLimits(test, { ...limit, waitMs: 1_000 });
      const { refusedWaits } = scene.service.sender.counts;
      const { map } = scene.service;
      const before = map.owners.slice();
      Object.assign(map, { learn: () => false });
      map.owners.fill(-1);
      const clients = await Promise.all(Array.from({ length: 3 }, () => open(test, scene)));
      for (const client of clients) {
        client.send('GET', 'a');
        await pause(50);
      }
      assert.match(
        await clients[2]!.next(500),
        /^-CLUSTERDOWN too many commands, or bytes of them, wait for a node; nothing was done/,
      );
      assert.match(await clients[0]!.next(), /^-CLUSTERDOWN nobody serves slot \d+; nothing was done/);
      clients[0]!.send('GET', 'none');
      await pause(50);
      delete (map as { learn?: unknown }).learn;
      map.owners.set(before);
      assert.equal(await clients[0]!.next(), '$-1\r\n');
      assert.equal(scene.service.sender.counts.refusedWaits, refusedWaits + 1);
      assert.equal(scene.service.sender.waiting, 0);
    });
  }

  it('is over', async () => {
    for (const end of ends.reverse()) await end();
  });
});

it('ends a client that never says who it is', async (test) => {
  const scene = await endpointScene(test, { shards: 1, password: 'secret', limits: { loginMs: 300 } });
  const [stranger, user] = [new ByteClient(scene.port), new ByteClient(scene.port)];
  assert.equal(await user.ask('AUTH', 'secret'), '+OK\r\n');
  assert.deepEqual(await stranger.closed(), ['-ERR no user was named within 0.3 s\r\n']);
  assert.equal(await user.ask('PING'), '+PONG\r\n');
  assert.equal(scene.service.counts.lateLogins, 1);
  // What strangers may say is little.
  const another = new ByteClient(scene.port);
  another.write('*11\r\n');
  assert.deepEqual(await another.closed(), ['-ERR Protocol error: unauthenticated multibulk length\r\n']);
  user.destroy();
});

it('takes 20,000 hostile inputs without harm to anybody', async (test) => {
  const report = await runFuzz(test, { seed: 4, inputs: 20_000 });
  assert.deepEqual([report.defects, report.left], [0, { clients: 0, underWayBytes: 0, inFlight: 0, waiting: 0 }]);
  assert.ok(report.memory.most - report.memory.atFirst < 512 * MIB, JSON.stringify(report.memory));
  assert.ok(report.checkedReplies > 1_000);
});

it('lets a node that speaks nonsense harm only the commands sent to it', async (test) => {
  const scene = await endpointScene(test, { shards: 2, limits: { waitMs: 500 } });
  const { service } = scene;
  let answer: (socket: Socket, bytes: Buffer) => void = () => {};
  const fake: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      if (bytes.includes('HELLO')) socket.write('+OK\r\n');
      else answer(socket, bytes);
    });
  }).listen(0, '127.0.0.1');
  await once(fake, 'listening');
  test.after(() => fake.close());
  const { port } = fake.address() as { port: number };
  const place = service.map.place('fake', '127.0.0.1', port, '');
  // A slot of the first primary is the fake's for this endpoint, with an epoch that no node outdoes.
  const slot = 0;
  let tag = 0;
  while (keySlot(`{${tag}}`) !== slot) tag += 1;
  const key = `{${tag}}`;
  const good = await new ByteClient(scene.port).connected();
  test.after(() => good.destroy());
  const tricks: [name: string, answer: typeof answer, expected: RegExp | null][] = [
    ['garbage', (socket) => socket.write('hello?\r\n'), /^-UNKNOWNOUTCOME|^-CLUSTERDOWN/],
    ['an end within a reply', (socket) => socket.end('$100\r\nabc'), null],
    ['an end without a reply', (socket) => socket.end(), /^-UNKNOWNOUTCOME|^-CLUSTERDOWN/],
    ['two answers', (socket) => socket.write('+OK\r\n+MORE\r\n'), /^\+OK/],
    ['a length beyond all', (socket) => socket.write('$99999999999999\r\nabc'), /^-UNKNOWNOUTCOME|^-CLUSTERDOWN/],
    ['a length that is none', (socket) => socket.write('*1-\r\n'), /^-UNKNOWNOUTCOME|^-CLUSTERDOWN/],
  ];
  for (const [name, how, expected] of tricks) {
    answer = how;
    service.map.owners[slot] = place.index;
    const victim = await new ByteClient(scene.port).connected();
    victim.send('SET', key, 'a');
    if (expected) assert.match(await victim.next(), expected, name);
    else assert.deepEqual(await victim.closed(), [], name);
    service.map.owners[slot] = place.index;
    assert.equal(await good.ask('SET', 'a', name), '+OK\r\n');
    assert.equal(await good.ask('GET', 'a'), `$${name.length}\r\n${name}\r\n`);
    victim.destroy();
  }
});
