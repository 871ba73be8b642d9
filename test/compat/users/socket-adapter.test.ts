/** A socket adapter: two socket.io servers that are one by way of the endpoint. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { endpointScene, type Scene, until } from '../../support/endpoint-scene.ts';

type Adapter = ReturnType<typeof createAdapter | typeof createShardedAdapter>;

describe('socket.io at the endpoint', () => {
  const ends: (() => unknown)[] = [];
  let scene: Scene;
  before(async () => {
    scene = await endpointScene({ after: (end) => ends.push(end as () => unknown) });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  const withIoredis = async (): Promise<Adapter> => {
    const [pub, sub] = [new Redis(scene.port, scene.host), new Redis(scene.port, scene.host)];
    ends.push(() => Promise.all([pub.quit(), sub.quit()]));
    await until('both are connected', async () => pub.status === 'ready' && sub.status === 'ready');
    return createAdapter(pub, sub);
  };

  const sharded = async (): Promise<Adapter> => {
    const [pub, sub] = await Promise.all(
      [1, 2].map(() => createClient({ url: `redis://${scene.host}:${scene.port}` }).connect()),
    );
    ends.push(() => Promise.all([pub!.close(), sub!.close()]));
    return createShardedAdapter(pub, sub);
  };

  for (const [name, adapter] of Object.entries({
    'the adapter on ioredis': withIoredis,
    'the sharded adapter on node-redis': sharded,
  })) {
    it(`${name}: what one server says is heard by the clients of both, by all or by a room`, async () => {
      const servers = await Promise.all([1, 2].map(async () => serve(await adapter(), ends)));
      const clients = await Promise.all(servers.map(({ port }) => connect(port, ends)));
      const heard = clients.map((client) => {
        const words: string[] = [];
        client.on('word', (word: string) => words.push(word));
        return words;
      });
      await Promise.all(clients.map((client, index) => client.emitWithAck('join', index === 1 ? 'second' : 'first')));
      const [one, two] = [servers[0]!.server, servers[1]!.server];
      await until('the servers know each other', async () => (await one.fetchSockets()).length === 2);
      one.emit('word', 'to all');
      one.to('second').emit('word', 'to a room of the other');
      two.to('first').emit('word', 'and back');
      await until('all is heard', async () => heard.every((words) => words.length >= 2));
      assert.deepEqual(heard, [
        ['to all', 'and back'],
        ['to all', 'to a room of the other'],
      ]);
      const answers = await two.timeout(5_000).emitWithAck('ask');
      assert.deepEqual(answers.sort(), [clients[0]!.id, clients[1]!.id].sort());
      one.in('second').disconnectSockets();
      await until('the other server has closed its client', async () => clients[1]!.disconnected);
    });
  }
});

async function serve(adapter: Adapter, ends: (() => unknown)[]) {
  const http = createServer().listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server = new Server(http, { adapter });
  server.on('connection', (socket) => {
    socket.on('join', async (room: string, joined: () => void) => {
      await socket.join(room);
      joined();
    });
  });
  ends.push(() => server.close());
  return { server, port: (http.address() as AddressInfo).port };
}

async function connect(port: number, ends: (() => unknown)[]): Promise<Socket> {
  const client = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], reconnection: false });
  ends.push(() => client.disconnect());
  client.on('ask', (answer: (id: string) => void) => answer(client.id!));
  await until('a client is connected', async () => client.connected);
  return client;
}
