import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import { createClient } from 'redis';
import { keySlot } from '../../src/domain/key-slot.ts';
import { Decoder } from '../../src/resp/decode.ts';
import { Push } from '../../src/resp/reply.ts';
import { type Scene, until } from '../support/endpoint-scene.ts';
import { RawClient } from '../support/raw-client.ts';
import { sharedScene } from '../support/shared-scene.ts';

const invalidate = (key: string): string[] => ['>2', '$10', 'invalidate', '*1', `$${key.length}`, key];
const INVALIDATE_ALL = ['>2', '$10', 'invalidate', '_'];
/** One in each of three shards. */
const KEYS = ['b', 'c', 'a'];

describe('client side caching at the endpoint', () => {
  let scene: Scene;
  let client: Redis;
  sharedScene(
    (made) => {
      ({ scene, client } = made);
    },
    {
      replicas: 1,
      users: [{ name: 'narrow', password: 'pw', rules: '~* +@all -client|tracking' }],
    },
  );
  const open = async (t: { after(end: () => void): void }, resp: 2 | 3 = 3): Promise<RawClient> => {
    const raw = await RawClient.open(scene);
    t.after(() => raw.close());
    if (resp === 2) return raw;
    raw.send('HELLO 3');
    await until('greeted', async () => raw.received.endsWith('modules\r\n*0\r\n'));
    raw.received = '';
    return raw;
  };
  const ownerOf = (key: string): number => scene.service.map.owners[keySlot(key)]!;

  it('tells of keys of all shards that were read, once, and of an own write behind its reply', async (t) => {
    assert.equal(new Set(KEYS.map(ownerOf)).size, 3);
    const raw = await open(t);
    await raw.says('CLIENT TRACKING ON', '+OK');
    await raw.says('MGET b c a', '*3', '_', '_', '_');
    for (const key of KEYS) {
      await client.set(key, '1');
      await raw.hears(...invalidate(key));
      await client.set(key, '2');
    }
    await raw.says(['GET b', 'SET b 3', 'PING'], '$1', '2', '+OK', ...invalidate('b'), '+PONG').catch(async () => {
      // The endpoint answers PING itself: it need not wait for what a node pushes.
      await raw.hears('$1', '2', '+OK', '+PONG', ...invalidate('b'));
    });
    await raw.says('CLIENT TRACKINGINFO', ...info(['on'], 0));
    await raw.says('CLIENT GETREDIR', ':0');
    await raw.says('CLIENT TRACKING OFF', '+OK');
    await raw.says('CLIENT TRACKINGINFO', ...info(['off'], -1));
    await raw.says('GET b', '$1', '3');
    await client.set('b', '4');
    await raw.says('GET b', '$1', '4');
  });

  it('pushes behind replies that were there first, though they wait for the reply of another node', async (t) => {
    const raw = await open(t);
    await raw.says('CLIENT TRACKING ON', '+OK');
    await client.mset('b', 'slow', 'c', 'old');
    await raw.says('MGET b c', '*2', '$4', 'slow', '$3', 'old');
    const slow = scene.primaries.find(({ port }) => port === scene.service.map.nodes[ownerOf('b')]!.port)!;
    await slow.admin.command('CLIENT', 'PAUSE', 300, 'ALL');
    raw.send('GET b', 'GET c', 'MGET b c');
    await client.get('c'); // on its way behind them
    await client.set('c', 'new');
    await raw.hears('$4', 'slow', '$3', 'old', '*2', '$4', 'slow', '$3', 'old', ...invalidate('c'));
  });

  it('pushes never within a reply', async (t) => {
    const raw = await open(t);
    const big = 'x'.repeat(2_000_000);
    await client.set('big', big);
    await raw.says('CLIENT TRACKING ON BCAST PREFIX c', '+OK');
    raw.send(...new Array<string>(5).fill('GET big'));
    for (let round = 0; round < 50; round += 1) await client.set('c', round);
    await until('all is there', async () => raw.received.length >= 5 * big.length + 50 * 32);
    const decoder = new Decoder();
    decoder.push(Buffer.from(raw.received));
    const replies = Array.from({ length: 55 }, () => decoder.next());
    assert.equal(replies.filter((reply) => reply === big).length, 5);
    assert.equal(replies.filter((reply) => reply instanceof Push).length, 50);
  });

  it('with OPTIN and OPTOUT follows CLIENT CACHING for one command, split ones and transactions', async (t) => {
    const raw = await open(t);
    await raw.says('CLIENT TRACKING ON OPTIN', '+OK');
    await client.mset('b', '1', 'c', '1', 'a', '1');
    await raw.says(
      ['GET b', 'CLIENT CACHING YES', 'MGET c a', 'GET b'],
      '$1',
      '1',
      '+OK',
      '*2',
      '$1',
      '1',
      '$1',
      '1',
      '$1',
      '1',
    );
    await client.set('b', '2');
    await client.set('c', '2');
    await raw.hears(...invalidate('c'));
    await client.set('a', '2');
    await raw.hears(...invalidate('a'));
    await raw.says('CLIENT CACHING YES', '+OK');
    await raw.says('CLIENT TRACKINGINFO', ...info(['on', 'optin', 'caching-yes'], 0));
    await raw.says(['MULTI', 'GET b', 'EXEC'], '+OK', '+QUEUED', '*1', '$1', '2');
    await raw.says('CLIENT TRACKINGINFO', ...info(['on', 'optin'], 0));
    await client.set('b', '3');
    await raw.hears(...invalidate('b'));
    await raw.says(
      'CLIENT CACHING NO',
      '-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.',
    );
    await raw.says(
      'CLIENT TRACKING ON OPTOUT',
      "-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
    );
    await raw.says(['CLIENT TRACKING OFF', 'CLIENT TRACKING ON OPTOUT'], '+OK', '+OK');
    await raw.says(['CLIENT CACHING NO', 'GET b', 'GET c'], '+OK', '$1', '3', '$1', '2');
    await client.set('b', '4');
    await client.set('c', '4');
    await raw.hears(...invalidate('c'));
  });

  it('with BCAST tells of prefixes at all primaries, whether read or not', async (t) => {
    const raw = await open(t);
    await raw.says('CLIENT TRACKING ON BCAST PREFIX user: PREFIX job:', '+OK');
    for (const key of ['user:1', 'user:2', 'job:3', 'job:4', 'user:5', 'job:6']) {
      await client.set(key, '1');
      await raw.hears(...invalidate(key));
    }
    await client.set('other', '1');
    await raw.says(
      'CLIENT TRACKING ON BCAST PREFIX us',
      "-ERR Prefix 'us' overlaps with an existing prefix 'user:'. Prefixes for a single client must not overlap.",
    );
    await raw.says('CLIENT TRACKING ON BCAST PREFIX x', '+OK');
    await client.set('x1', '1');
    await raw.hears(...invalidate('x1'));
  });

  it('has the errors of the engine', async (t) => {
    const raw = await open(t);
    const says = (command: string, error: string) => raw.says(command, `-${error}`);
    await says('CLIENT TRACKING maybe', 'ERR syntax error');
    await says('CLIENT TRACKING ON FOO', 'ERR syntax error');
    await says('CLIENT TRACKING ON PREFIX a', 'ERR PREFIX option requires BCAST mode to be enabled');
    await says('CLIENT TRACKING ON BCAST OPTIN', 'ERR OPTIN and OPTOUT are not compatible with BCAST');
    await says('CLIENT TRACKING ON OPTOUT OPTIN', "ERR You can't specify both OPTIN mode and OPTOUT mode");
    await says(
      'CLIENT TRACKING ON BCAST PREFIX a PREFIX ab',
      "ERR Prefix 'a' overlaps with another provided prefix 'ab'. Prefixes for a single client must not overlap.",
    );
    await says(
      'CLIENT CACHING YES',
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    );
    await says('CLIENT TRACKING ON REDIRECT 987654321', 'ERR The client ID you want redirect to does not exist');
    await raw.says('AUTH narrow pw', '+OK');
    await says('CLIENT TRACKING ON', "NOPERM User narrow has no permissions to run the 'client|tracking' command");
    await raw.says('GET nothing', '_');
    const two = await open(t, 2);
    await two.says(['CLIENT TRACKING ON', 'GET b'], '+OK', '$1', '4');
    await client.set('b', '5');
    await two.says('PING', '+PONG');
  });

  for (const resp of [2, 3] as const) {
    it(`tells another client in RESP${resp}, and says when that is gone`, async (t) => {
      const [reader, listener] = [await open(t, resp), await open(t, resp)];
      const id = [...scene.service.peers.keys()].at(-1)!;
      if (resp === 2) await listener.says('SUBSCRIBE any', '*3', '$9', 'subscribe', '$3', 'any', ':1');
      await reader.says(`CLIENT TRACKING ON REDIRECT ${id}`, '+OK');
      await reader.says('CLIENT GETREDIR', `:${id}`);
      const heard = (key: string): string[] =>
        resp === 3
          ? invalidate(key)
          : ['*3', '$7', 'message', '$20', '__redis__:invalidate', '*1', `$${key.length}`, key];
      for (const key of KEYS) {
        await client.set(key, 'x');
        await reader.says(`GET ${key}`, '$1', 'x');
        await client.set(key, 'y');
        await listener.hears(...heard(key));
      }
      await reader.says('GET b', '$1', 'y');
      listener.close();
      await until('it is gone', async () => !scene.service.peers.has(id));
      await client.set('b', '4');
      if (resp === 3) await reader.hears('>2', '$21', 'tracking-redir-broken', `:${id}`);
      await until('it is known', async () =>
        [...scene.service.peers.values()].some(({ session }) => session.tracking?.isBroken),
      );
    });
  }

  it('goes on in another database', async (t) => {
    const raw = await open(t);
    await raw.says('CLIENT TRACKING ON', '+OK');
    await raw.says('GET nothing', '_');
    await raw.says(['SELECT 3', 'GET b'], ...INVALIDATE_ALL, '+OK', '_');
    const other = client.duplicate({ db: 3 });
    t.after(() => other.disconnect());
    await other.set('b', '1');
    await raw.hears(...invalidate('b'));
  });

  it('works with the cache of a client library', async (t) => {
    const node = createClient({
      ...{ RESP: 3, socket: { host: scene.host, port: scene.port } },
      clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' },
    });
    await node.connect();
    t.after(() => node.destroy());
    for (const key of KEYS) {
      await client.set(key, 'first');
      assert.equal(await node.get(key), 'first');
      await client.set(key, 'second');
      await until('the cache is told', async () => (await node.get(key)) === 'second');
    }
  });

  it('is told to forget everything when slots have another owner and when a primary is lost', async (t) => {
    const raw = await open(t);
    await raw.says('CLIENT TRACKING ON', '+OK');
    await client.mset('b', '1', 'c', '1', 'a', '1');
    await raw.says('MGET b c a', '*3', '$1', '1', '$1', '1', '$1', '1');
    const shard = scene.primaries.findIndex(({ port }) => port === scene.service.map.nodes[ownerOf('a')]!.port);
    await scene.primaries[shard]!.stop();
    await raw.hears(...INVALIDATE_ALL);
    const { admin } = scene.replicas[shard]!;
    await until('promoted', async () => {
      await admin.command('CLUSTER', 'FAILOVER', 'FORCE').catch(() => {});
      return /role:master/.test(String(await admin.command('INFO', 'replication')));
    });
    await until('told again', async () => raw.received.includes(INVALIDATE_ALL.join('\r\n')));
    await raw.hears(...INVALIDATE_ALL);
    await raw.says('GET a', '$1', '1');
    await client.set('a', '2');
    await raw.hears(...invalidate('a'));
  });
});

function info(flags: readonly string[], redirect: number): string[] {
  const set = flags.flatMap((flag) => [`$${flag.length}`, flag]);
  return ['%3', '$5', 'flags', `~${flags.length}`, ...set, '$8', 'redirect', `:${redirect}`, '$8', 'prefixes', '*0'];
}
