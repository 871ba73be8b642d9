/** The endpoint in front of nodes that speak TLS only: its clients see no difference, and strangers get nothing from it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { EndpointConfig } from '../../src/protocol/endpoint-messages.ts';
import { Endpoint } from '../../src/proxy/endpoint.ts';
import { ByteClient } from '../support/byte-client.ts';
import { endpointScene, type Scene, until } from '../support/endpoint-scene.ts';
import { freePort } from '../support/start-engine.ts';
import { tempDir } from '../support/temp-dir.ts';
import { CONTROL, machine, testAuthority, writeTlsFiles } from '../support/trust.ts';

const newEndpoint = (): Endpoint => {
  let lastId = 0;
  return new Endpoint({ nextClientId: () => ++lastId, askOthers: async () => [] });
};

/** The scene's configuration for another endpoint, at a port of its own. */
async function another(scene: Scene, change: Partial<EndpointConfig> = {}): Promise<EndpointConfig> {
  const config = { ...structuredClone(scene.config), ...change };
  config.databases[0]!.port = await freePort();
  return config;
}

describe('an endpoint whose nodes speak TLS', () => {
  it('serves plain clients: long values, pipelines over shards, subscriptions, what blocks, transactions', async (t) => {
    const scene = await endpointScene(t, { shards: 2, tls: true });
    const client = new Redis(scene.port, scene.host);
    t.after(() => client.disconnect());
    const long = 'x'.repeat(3_000_000);
    await client.set('long', long);
    assert.ok((await client.get('long')) === long);
    const pipeline = client.pipeline();
    for (let index = 0; index < 500; index += 1) pipeline.set(`p:${index}`, index).get(`p:${index}`);
    const results = (await pipeline.exec())!;
    for (let index = 0; index < 500; index += 1) assert.equal(results[2 * index + 1]![1], String(index));
    assert.equal(await client.exists(...Array.from({ length: 500 }, (_, index) => `p:${index}`)), 500);
    const listener = client.duplicate();
    t.after(() => listener.disconnect());
    await listener.subscribe('news');
    const heard = new Promise((resolve) => listener.once('message', (_, text) => resolve(text)));
    await client.publish('news', 'hello');
    assert.equal(await heard, 'hello');
    const blocked = client.duplicate();
    t.after(() => blocked.disconnect());
    const popped = blocked.blpop('list', 10);
    await pause(50);
    await client.rpush('list', 'one');
    assert.deepEqual(await popped, ['list', 'one']);
    assert.deepEqual(await client.multi().incr('n').incr('n').exec(), [
      [null, 1],
      [null, 2],
    ]);
    const bytes = await new ByteClient(scene.port).connected();
    t.after(() => void bytes.destroy());
    assert.equal(await bytes.ask('MONITOR'), '+OK\r\n');
    await until('what a script calls is told', async () => {
      await client.eval('return server.call("SET", KEYS[1], "v")', 1, 'scripted');
      return /lua\] "SET" "scripted"/.test(await bytes.next());
    });
  });

  it('loses no write over a failover', async (t) => {
    const scene = await endpointScene(t, { shards: 1, replicas: 1, tls: true });
    const client = new Redis(scene.port, scene.host, { retryStrategy: () => 20 });
    t.after(() => client.disconnect());
    let isOver = false;
    const writing = (async () => {
      let count = 0;
      for (; !isOver; count += 1) assert.equal(await client.incr('counter'), count + 1);
      return count;
    })();
    await pause(100);
    await scene.replicas[0]!.admin.command('CLUSTER', 'FAILOVER');
    await until('the replica has taken over', async () =>
      String(await scene.replicas[0]!.admin.command('ROLE')).startsWith('master'),
    );
    await pause(200);
    isOver = true;
    assert.equal(await client.get('counter'), String(await writing));
  });

  it('says why it does not serve when it has no credentials, or none that can be read', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true });
    const endpoint = newEndpoint();
    t.after(() => endpoint.close());
    const without = await another(scene, { tls: null });
    await endpoint.serve(without);
    const [database] = endpoint.status().databases;
    assert.match(database!.problem!, /speak TLS, and this machine has no credentials/);
    await assert.rejects(new ByteClient(without.databases[0]!.port).connected());
    const gone = { identity: '/nowhere/machine.pem', authorities: '/nowhere/authorities.pem' };
    await endpoint.serve({ ...without, tls: gone });
    assert.match(endpoint.status().databases[0]!.problem!, /nowhere.*there is no such file/);
    await endpoint.serve({ ...without, tls: scene.trust!.files });
    assert.equal(endpoint.status().databases.length, 1);
    assert.equal(endpoint.status().databases[0]!.problem, null);
    const client = new Redis(without.databases[0]!.port, scene.host);
    t.after(() => client.disconnect());
    assert.equal(await client.set('k', 'v'), 'OK');
  });

  it('tells nodes that are not the ones meant no password, nor strangers', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true });
    const [node] = scene.nodes;
    const admitted = async (): Promise<string> => {
      const stats = String(await node!.admin.command('INFO', 'commandstats'));
      return (stats.match(/^cmdstat_(hello|auth):calls=\d+/gm) ?? []).join();
    };
    const dir = tempDir(t);
    const strange = await testAuthority();
    const cases: Partial<EndpointConfig>[] = [
      {
        databases: [
          { ...scene.config.databases[0]!, nodes: [{ ...scene.config.databases[0]!.nodes[0]!, machine: 'm9' }] },
        ],
      },
      { tls: writeTlsFiles(dir, await strange.credentials(machine('machine-1'))) },
    ];
    for (const change of cases) {
      const before = await admitted();
      const endpoint = newEndpoint();
      t.after(() => endpoint.close());
      const config = await another(scene, structuredClone(change));
      await endpoint.serve(config);
      const client = await new ByteClient(config.databases[0]!.port).connected();
      const answer = client.ask('GET', 'k');
      await pause(500);
      assert.equal(endpoint.services()[0]!.map.isComplete, false);
      assert.match(before, /auth/);
      assert.equal(await admitted(), before);
      endpoint.close();
      await answer.catch(() => {});
      client.destroy();
    }
  });

  it('takes renewed credentials for new connections when it reads its configuration again; open ones stay', async (t) => {
    const scene = await endpointScene(t, { shards: 1, tls: true });
    const { trust, config, endpoint } = scene;
    const { authority, dir, files } = trust!;
    const [node] = scene.nodes;
    const client = new Redis(scene.port, scene.host);
    t.after(() => client.disconnect());
    await client.set('k', 'v');
    const next = await testAuthority();
    const both = [authority.certificate, next.certificate];
    writeTlsFiles(dir, { ...(await next.credentials(machine('machine-1'))), bundle: both });
    await node!.admin.command('CONFIG', 'SET', 'tls-cert-file', files.identity, 'tls-key-file', files.identity);
    await node!.admin.command('CONFIG', 'SET', 'tls-ca-cert-file', files.authorities);
    assert.equal(await client.get('k'), 'v', 'the open connection goes on');

    await node!.admin.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const answer = client.get('k');
    assert.equal(
      await Promise.race([answer, pause(500, 'it waits')]),
      'it waits',
      'it believes the old authority only',
    );
    await endpoint.serve(config);
    assert.equal(await answer, 'v');

    // What cannot be read changes nothing.
    writeTlsFiles(dir, { ...(await next.credentials(CONTROL)), bundle: ['nonsense'] });
    await endpoint.serve(config);
    assert.equal(endpoint.status().databases[0]!.problem, null);
    await node!.admin.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    assert.equal(await client.get('k'), 'v');
  });
});
