/** A session store: express-session with connect-redis, which uses node-redis. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'redis';
import { endpointScene, until } from '../../support/endpoint-scene.ts';

interface Store {
  all(): Promise<unknown[]>;
  length(): Promise<number>;
  clear(): Promise<void>;
}

/** What express-session adds to a request. */
interface WithSession extends IncomingMessage {
  session: { views?: number; destroy(done: () => void): void };
}

it('sessions are kept at the endpoint, seen by every server, and end', async (t) => {
  const scene = await endpointScene(t);
  const client = createClient({ url: `redis://${scene.host}:${scene.port}` });
  await client.connect();
  t.after(() => client.destroy());
  const store = new RedisStore({ client, prefix: 'session:', ttl: 100 });
  const servers = await Promise.all([1, 2].map(() => serve(store)));
  for (const { server } of servers) t.after(() => server.close());

  const visit = async (which: number, cookie = '', path = '/') => {
    const headers = { cookie, connection: 'close' };
    const answer = await fetch(`http://127.0.0.1:${servers[which]!.port}${path}`, { headers });
    return { views: await answer.text(), cookie: answer.headers.get('set-cookie')?.split(';')[0] ?? cookie };
  };
  const visitors = await Promise.all(Array.from({ length: 20 }, () => visit(0)));
  assert.equal(new Set(visitors.map(({ cookie }) => cookie)).size, 20);
  const again = await Promise.all(visitors.map(({ cookie }) => visit(1, cookie)));
  assert.ok(again.every(({ views }) => views === '2'));
  const sessions = store as unknown as Store;
  assert.equal(await sessions.length(), 20, 'SCAN finds the sessions of all shards');
  assert.equal((await sessions.all()).length, 20, 'MGET reads them');
  const key = (await client.keys('session:*'))[0]!;
  const left = await client.ttl(key);
  assert.ok(left > 90 && left <= 100, `lives for ${left} s`);

  const { cookie } = visitors[0]!;
  await visit(0, cookie, '/out');
  await until('a session is gone', async () => (await sessions.length()) === 19);
  assert.equal((await visit(1, cookie)).views, '1', 'begins anew');
  await sessions.clear();
  assert.equal(await sessions.length(), 0);
});

/** A server that counts the visits of each session; `/out` ends one. */
async function serve(store: RedisStore) {
  const middleware = session({ store, secret: 'test', resave: false, saveUninitialized: false });
  const server = createServer((request, response) => {
    middleware(request, response, () => {
      const { session: current } = request as unknown as WithSession;
      if (request.url === '/out') return current.destroy(() => response.end('bye'));
      current.views = (current.views ?? 0) + 1;
      return response.end(String(current.views));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}
