import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';
import { createClient } from 'redis';
import { keySlot } from '../../src/domain/key-slot.ts';
import { type Scene, type SceneNode, until } from '../support/endpoint-scene.ts';
import { RawClient } from '../support/raw-client.ts';
import { sharedScene } from '../support/shared-scene.ts';

/** Text as a bulk string's two lines. */
const bulks = (...texts: string[]): string[] => texts.flatMap((text) => [`$${text.length}`, text]);

describe('subscriptions at the endpoint', () => {
  let scene: Scene;
  let client: Redis;
  sharedScene(
    (made) => {
      ({ scene, client } = made);
    },
    {
      shards: 2,
      replicas: 1,
      limits: { replyBytesClose: 4 * 1024 ** 2 },
      engineArgs: ['--notify-keyspace-events', 'KEA'],
      users: [{ name: 'narrow', password: 'pw', rules: '~* +@all resetchannels &allowed:* &__key*' }],
    },
  );
  const open = async (t: { after(end: () => void): void }): Promise<RawClient> => {
    const raw = await RawClient.open(scene);
    t.after(() => raw.close());
    return raw;
  };
  /** Where a key lies. */
  const ownerOf = (key: string): SceneNode => {
    const { port } = scene.service.map.nodes[scene.service.map.owners[keySlot(key)]!]!;
    return scene.nodes.find((node) => node.port === port)!;
  };

  it('confirms as the engine does in RESP2, and leaves the context with the last of them', async (t) => {
    const raw = await open(t);
    await raw.says('UNSUBSCRIBE', '*3', ...bulks('unsubscribe'), '$-1', ':0');
    await raw.says(
      'SUBSCRIBE a b a',
      ...['*3', ...bulks('subscribe', 'a'), ':1', '*3', ...bulks('subscribe', 'b'), ':2'],
      ...['*3', ...bulks('subscribe', 'a'), ':2'],
    );
    await raw.says('PSUBSCRIBE p*', '*3', ...bulks('psubscribe', 'p*'), ':3');
    await raw.says('SSUBSCRIBE s t', '*3', ...bulks('ssubscribe', 's'), ':1', '*3', ...bulks('ssubscribe', 't'), ':2');
    await raw.says('PING', '*2', ...bulks('pong', ''));
    await raw.says(
      'GET x',
      "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
    );
    await raw.says('UNSUBSCRIBE', '*3', ...bulks('unsubscribe', 'a'), ':2', '*3', ...bulks('unsubscribe', 'b'), ':1');
    await raw.says('UNSUBSCRIBE', '*3', ...bulks('unsubscribe'), '$-1', ':1');
    await raw.says('PUNSUBSCRIBE q', '*3', ...bulks('punsubscribe', 'q'), ':1');
    await raw.says(
      ['PUNSUBSCRIBE', 'SUNSUBSCRIBE t'],
      '*3',
      ...bulks('punsubscribe', 'p*'),
      ':0',
      '*3',
      ...bulks('sunsubscribe', 't'),
      ':1',
    );
    await raw.says('SUNSUBSCRIBE', '*3', ...bulks('sunsubscribe', 's'), ':0');
    await raw.says('GET x', '$-1');
  });

  it('mixes subscriptions with other commands in RESP3, in their order', async (t) => {
    const raw = await open(t);
    raw.send('HELLO 3');
    await until('greeted', async () => raw.received.endsWith('modules\r\n*0\r\n'));
    raw.received = '';
    await raw.says(
      ['SET k 1', 'SUBSCRIBE c', 'GET k', 'PUBLISH c m', 'PING'],
      ...['+OK', '>3', ...bulks('subscribe', 'c'), ':1', '$1', '1'],
    );
    // The message comes over another connection than the number of its receivers.
    const message = '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n';
    await until('all is there', async () => raw.received.length === message.length + ':1\r\n+PONG\r\n'.length);
    assert.equal(raw.received.replace(message, ''), ':1\r\n+PONG\r\n');
    raw.received = '';
    await raw.says('RESET', '+RESET');
    await until('nobody hears it', async () => (await client.publish('c', 'm')) === 0);
    await raw.says('PING', '+PONG');
  });

  it('delivers every message once, with the numbers of one server', async (t) => {
    const [one, two] = [await open(t), await open(t)];
    await one.says('SUBSCRIBE news', '*3', ...bulks('subscribe', 'news'), ':1');
    await one.says('PSUBSCRIBE n*', '*3', ...bulks('psubscribe', 'n*'), ':2');
    await two.says('PSUBSCRIBE *', '*3', ...bulks('psubscribe', '*'), ':1');
    assert.equal(await client.publish('news', 'hello'), 3);
    await one.hears('*3', ...bulks('message', 'news', 'hello'), '*4', ...bulks('pmessage', 'n*', 'news', 'hello'));
    await two.hears('*4', ...bulks('pmessage', '*', 'news', 'hello'));
    assert.deepEqual(await client.pubsub('NUMSUB', 'news', 'other'), ['news', 1, 'other', 0]);
    assert.equal(await client.pubsub('NUMPAT'), 2);
    assert.deepEqual(await client.pubsub('CHANNELS'), ['news']);
    // What is published within a node reaches the home by way of the cluster.
    await scene.primaries[1]!.admin.command('PUBLISH', 'news', 'from afar');
    await one.hears(
      '*3',
      ...bulks('message', 'news', 'from afar'),
      '*4',
      ...bulks('pmessage', 'n*', 'news', 'from afar'),
    );
    await two.hears('*4', ...bulks('pmessage', '*', 'news', 'from afar'));
    await client.publish('end', 'of it');
    await two.hears('*4', ...bulks('pmessage', '*', 'end', 'of it'));
    assert.equal(one.received + two.received, '');
  });

  it('refuses channels that the user may not hear, in order', async (t) => {
    const raw = await open(t);
    await raw.says('AUTH narrow pw', '+OK');
    await raw.says(
      ['PING', 'SUBSCRIBE allowed:1 forbidden', 'SUBSCRIBE allowed:2', 'SSUBSCRIBE forbidden', 'PSUBSCRIBE *'],
      ...['+PONG', '-NOPERM No permissions to access a channel', '*3', ...bulks('subscribe', 'allowed:2'), ':1'],
      ...['-NOPERM No permissions to access a channel', '-NOPERM No permissions to access a channel'],
    );
    await raw.says('PING', '*2', ...bulks('pong', ''));
  });

  it('has sharded channels of all shards on one connection, which stay when slots move', async (t) => {
    const raw = await open(t);
    const channels = ['s1', 's2', 's3', 's4', 's5', 's6'];
    assert.equal(new Set(channels.map((channel) => ownerOf(channel).port)).size, 2);
    raw.send(`SSUBSCRIBE ${channels.join(' ')}`);
    await raw.hears(...channels.flatMap((channel, at) => ['*3', ...bulks('ssubscribe', channel), `:${at + 1}`]));
    const speak = async (text: string) => {
      for (const channel of channels) {
        assert.equal(await client.spublish(channel, text), 1);
        await raw.hears('*3', ...bulks('smessage', channel, text));
      }
    };
    await speak('before');
    assert.deepEqual((await client.call('PUBSUB', 'SHARDNUMSUB', 's1', 'no', 's2')) as unknown[], [
      's1',
      1,
      'no',
      0,
      's2',
      1,
    ]);
    assert.deepEqual(((await client.call('PUBSUB', 'SHARDCHANNELS')) as string[]).sort(), channels);
    const slot = keySlot('s1');
    const from = ownerOf('s1');
    const to = scene.primaries.find((node) => node !== from)!;
    await from.admin.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', slot, slot, 'NODE', to.id);
    await until('the slot has moved', async () => ownerOf('s1') === to || (await client.exists('s1')) < 0);
    await until('subscribed again', async () => (await client.spublish('s1', 'probe')) === 1);
    await until('heard again', async () => raw.received.includes('probe'));
    raw.received = '';
    await speak('after');
  });

  it('closes a subscriber that does not read, and nobody else', async (t) => {
    const [slow, other] = [await open(t), await open(t)];
    await slow.says('SUBSCRIBE flood', '*3', ...bulks('subscribe', 'flood'), ':1');
    await other.says('SUBSCRIBE calm', '*3', ...bulks('subscribe', 'calm'), ':1');
    slow.pause();
    const text = 'x'.repeat(100_000);
    await until('it is closed', async () => {
      await client.publish('flood', text);
      return scene.service.counts.slowClients === 1;
    });
    await until('nobody hears it', async () => (await client.publish('flood', 'x')) === 0);
    assert.equal(await client.publish('calm', 'x'), 1);
    await other.hears('*3', ...bulks('message', 'calm', 'x'));
  });

  it('serves a subscriber of ioredis, binary names and all', async (t) => {
    const subscriber = client.duplicate();
    t.after(() => subscriber.disconnect());
    const heard: string[] = [];
    subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) =>
      heard.push(`${channel.toString('latin1')} ${message.toString('latin1')}`),
    );
    subscriber.on('pmessage', (pattern, channel, message) => heard.push(`${pattern} ${channel} ${message}`));
    const name = Buffer.from([0, 255, 13, 10]);
    assert.equal(await subscriber.subscribe('plain', name), 2);
    assert.equal(await subscriber.psubscribe('pl?in'), 3);
    assert.equal(await client.publish(name, Buffer.from([255])), 1);
    assert.equal(await client.publish('plain', 'm'), 2);
    await until('all is heard', async () => heard.length === 3);
    assert.deepEqual(heard, ['\0\xff\r\n \xff', 'plain m', 'pl?in plain m']);
    assert.equal(await subscriber.unsubscribe('plain', name), 1);
    assert.equal(await subscriber.punsubscribe(), 0);
    assert.equal(await subscriber.get('nothing'), null);
  });

  it('comes back in silence when its connection to a node is lost', async (t) => {
    const raw = await open(t);
    await raw.says('SUBSCRIBE lost', '*3', ...bulks('subscribe', 'lost'), ':1');
    await raw.says('SSUBSCRIBE s5', '*3', ...bulks('ssubscribe', 's5'), ':1');
    for (const { admin } of scene.primaries) await admin.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('subscribed again', async () => (await client.publish('lost', 'again')) === 1);
    await raw.hears('*3', ...bulks('message', 'lost', 'again'));
    await until('subscribed again', async () => (await client.spublish('s5', 'again')) === 1);
    await raw.hears('*3', ...bulks('smessage', 's5', 'again'));
    await raw.says('UNSUBSCRIBE', '*3', ...bulks('unsubscribe', 'lost'), ':0');
  });

  it('hears every message once and in order when the slot of the home moves', async (t) => {
    const raw = await open(t);
    await raw.says('PSUBSCRIBE h*', '*3', ...bulks('psubscribe', 'h*'), ':1');
    const { map } = scene.service;
    const nodeOf = (slot: number) => scene.primaries.find(({ port }) => port === map.nodes[map.owners[slot]!]!.port)!;
    const [from, to] = [nodeOf(0), nodeOf(16_383)];
    await from.admin.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', 0, 0, 'NODE', to.id);
    let sent = 0;
    const publish = () => client.publish('home', String(10_000 + sent++));
    let hasMoved = false;
    const publishing = (async () => {
      while (!hasMoved) await publish();
    })();
    await until('the slot has moved', async () => nodeOf(0) === to);
    await until('the old home is left', async () => {
      const numbers = await Promise.all([from, to].map(({ admin }) => admin.command('PUBSUB', 'NUMPAT')));
      return isDeepStrictEqual(numbers, [0, 1]);
    });
    hasMoved = true;
    await publishing;
    assert.equal(await publish(), 1);
    await until('all are there', async () => raw.received.includes(String(10_000 + sent - 1)));
    const numbers = [...raw.received.matchAll(/\r\n(1\d{4})\r\n/g)].map(([, number]) => Number(number) - 10_000);
    assert.deepEqual(
      numbers,
      Array.from({ length: sent }, (_, index) => index),
    );
    await to.admin.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', 0, 0, 'NODE', from.id);
    await until('the slot is back', async () => (await client.publish('home', 'x')) === 1 && nodeOf(0) === from);
  });

  it('hears keyspace events of all shards on one connection, and goes on after a failover', async (t) => {
    const node = createClient({ RESP: 3, socket: { host: scene.host, port: scene.port, reconnectStrategy: false } });
    node.on('error', () => {});
    await node.connect();
    t.after(() => node.destroy());
    const events: string[] = [];
    const messages: string[] = [];
    await node.pSubscribe('__keyevent@0__:*', (key, channel) => events.push(`${channel} ${key}`));
    await node.subscribe('news', (message) => messages.push(message));
    const raw = await open(t);
    await raw.says(
      'SSUBSCRIBE s3 s4',
      '*3',
      ...bulks('ssubscribe', 's3'),
      ':1',
      '*3',
      ...bulks('ssubscribe', 's4'),
      ':2',
    );
    const keys = ['k1', 'k2', 'k3', 'k4'];
    assert.equal(new Set(keys.map((key) => ownerOf(key).port)).size, 2);
    const touchAll = async (value: string) => {
      events.length = 0;
      for (const key of keys) await client.set(key, value);
      await until('all events are heard', async () => events.length >= keys.length);
      assert.deepEqual(
        events.sort(),
        keys.map((key) => `__keyevent@0__:set ${key}`),
      );
    };
    await touchAll('before');

    const replica = scene.replicas[0]!;
    await scene.primaries[0]!.stop(); // of slot 0: the home
    await until('promoted', async () => {
      await replica.admin.command('CLUSTER', 'FAILOVER', 'TAKEOVER');
      return /role:master/.test(String(await replica.admin.command('INFO', 'replication')));
    });
    await until('subscribed again', async () => (await client.publish('news', 'probe').catch(() => 0)) === 1);
    await until('heard again', async () => messages.includes('probe'));
    messages.length = 0;
    await until('events are heard again', async () => {
      events.length = 0;
      await Promise.all(keys.map((key) => client.set(key, 'probe')));
      await until('some', async () => events.length > 0);
      return events.length >= keys.length;
    });
    await touchAll('after');
    assert.equal(await client.publish('news', 'after'), 1);
    await until('the message is there', async () => messages.length > 0);
    assert.deepEqual(messages, ['after']);
    for (const channel of ['s3', 's4']) {
      await until('sharded: subscribed again', async () => (await client.spublish(channel, 'after')) === 1);
      await raw.hears('*3', ...bulks('smessage', channel, 'after'));
    }
    await raw.says('PING', '*2', ...bulks('pong', ''));
    assert.equal(node.isOpen, true);
  });
});
