/** Users of a database, on real nodes: created with it, changed while it runs, and there again after a restart. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Redis } from 'ioredis';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { type Fleet, isSettled, nodesOf, withFleet } from '../support/fleet.ts';

const urlOf = async (fleet: Fleet, user: string): Promise<string> =>
  (await fleet.cli('db', 'url', 'orders', '--user', user, '--json')).json<{ url: string }>().url;

/** What a user is answered by a node, or by the endpoint. */
async function answerTo(url: string, ...command: string[]): Promise<string> {
  const client = new Redis(url, { retryStrategy: () => null, lazyConnect: true, enableReadyCheck: false });
  client.on('error', () => {});
  try {
    await client.connect();
    return String(await client.call(command[0]!, ...command.slice(1)));
  } catch (error) {
    return (error as Error).message;
  } finally {
    client.disconnect();
  }
}

/** The URL, at a node instead of the endpoint. */
const at = (url: string, { host, port }: { host: string; port: number }): string =>
  url.replace(/@.*$/, `@${host}:${port}/0`);

it('keeps the users of a database on every node, through changes, deaths and restarts', () =>
  withFleet({ machines: 2 }, async (fleet) => {
    const wish = ['orders', '--shards', '1', '--memory', '16mb', '--user', 'app=~app:* +@all'];
    const wrong = await fleet.cli('db', 'create', ...wish, '--user', 'web=+nosuch');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /rules of the user web.*nosuch/);
    const created = await fleet.cli('db', 'create', ...wish, '--json');
    assert.equal(created.code, 0, created.stdout);
    const { endpoint, spec, shards } = created.json<DatabaseStatus>();
    assert.deepEqual(spec.users, [{ name: 'app', rules: '~app:* +@all' }]);
    assert.equal(endpoint?.port, spec.port);

    const app = await urlOf(fleet, 'app');
    const primary = shards[0]!.primary!;
    assert.equal(await answerTo(app, 'SET', 'app:1', 'x'), 'OK', 'through the endpoint');
    assert.equal(await answerTo(at(app, primary), 'SET', 'app:1', 'x'), 'OK');
    assert.match(await answerTo(at(app, primary), 'SET', 'other', 'x'), /NOPERM/);
    assert.match(
      await answerTo(at(app, primary), 'CONFIG', 'SET', 'maxmemory', '1'),
      /NOPERM/,
      'forbidden to all apps',
    );
    const nobody = await fleet.cli('db', 'password', 'orders', '--user', 'nobody');
    assert.equal(nobody.code, 3);

    const changed = await fleet.cli('db', 'update', 'orders', '--user', 'web=~* +get', '--user', 'app=~* +@all');
    assert.equal(changed.code, 0, changed.stderr);
    const web = await urlOf(fleet, 'web');
    assert.equal(await urlOf(fleet, 'app'), app, 'the same password');
    for (const node of nodesOf(await fleet.show('orders'))) {
      assert.match(await answerTo(at(web, node), 'GET', 'app:1'), /^x$|MOVED/);
      assert.match(await answerTo(at(web, node), 'SET', 'app:1', 'y'), /NOPERM/);
      assert.match(await answerTo(at(app, node), 'SET', 'other', 'x'), /OK|MOVED/);
    }

    // A node that was dead meanwhile gets them when it returns.
    const replica = (await fleet.show('orders')).shards[0]!.replicas[0]!;
    process.kill(replica.pid!, 'SIGKILL');
    const removed = await fleet.cli('db', 'update', 'orders', '--user', 'app=', '--no-wait');
    assert.equal(removed.code, 0, removed.stderr);
    const settled = await fleet.until(
      'orders',
      (status) => status.generation === 3 && status.observedGeneration === 3 && isSettled(status),
    );
    for (const node of nodesOf(settled)) {
      assert.match(await answerTo(at(app, node), 'PING'), /WRONGPASS|Connection is closed/);
      const names = await answerTo(at(await urlOf(fleet, 'default'), node), 'ACL', 'USERS');
      assert.match(names, /^default,valkeeper,valkeeper:acl:[0-9a-f]{16},web$/);
    }

    assert.equal((await fleet.cli('down')).code, 0);
    await fleet.up();
    const again = await fleet.until('orders', isSettled);
    for (const node of nodesOf(again)) assert.match(await answerTo(at(web, node), 'GET', 'app:1'), /^x$|MOVED/);
  }));

it('gives every database a port of its own, keeps it, and changes it when asked', () =>
  withFleet({ machines: 2 }, async (fleet) => {
    const main = await fleet.until('main', ({ endpoints }) => endpoints.every(({ serves }) => serves));
    assert.equal(main.endpoint?.port, main.spec.port);
    assert.deepEqual(
      main.endpoints.map(({ host }) => host),
      fleet.addresses(),
    );
    const taken = await fleet.cli(
      'db',
      'create',
      'orders',
      '--shards',
      '1',
      '--memory',
      '16mb',
      '--port',
      `${main.spec.port}`,
    );
    assert.equal(taken.code, 4);
    assert.match(taken.stderr, /the database main has it/);

    const pids = nodesOf(main).map(({ pid }) => pid);
    const moved = (await fleet.cli('db', 'update', 'main', '--port', '6500', '--json')).json<DatabaseStatus>();
    assert.deepEqual([moved.endpoint?.port, moved.spec.port, moved.state], [6500, 6500, 'ready']);
    assert.deepEqual(
      nodesOf(moved).map(({ pid }) => pid),
      pids,
      'no node was restarted',
    );
    const { url } = (await fleet.cli('db', 'url', 'main', '--json')).json<{ url: string }>();
    assert.equal(await answerTo(url, 'PING'), 'PONG');
  }));
