/** Endpoints of a whole fleet: kept running, replaced, and told of when they do not serve. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { MachineList } from '../../src/protocol/api.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';

const endpointsOf = async (fleet: Fleet) =>
  (await fleet.cli('machine', 'list', '--json')).json<MachineList>().machines.map(({ endpoint }) => endpoint!);

/** A client of one machine's endpoint that counts what fails. */
async function clientAt(fleet: Fleet, host: string): Promise<Redis> {
  const { url } = (await fleet.cli('db', 'url', 'main', '--json')).json<{ url: string }>();
  const client = new Redis(url.replace(/@[^:]+:/, `@${host}:`), { retryStrategy: () => 20 });
  client.on('error', () => {}); // a lost connection is no error of the test
  return client;
}

it('starts an endpoint again that died, says why one does not serve, and mends it', () =>
  withFleet({ machines: 2 }, async (fleet) => {
    const { spec } = await fleet.show();
    const [first, second] = await endpointsOf(fleet);
    assert.deepEqual([first?.serves, second?.serves, first?.problem], [['main'], ['main'], null]);
    assert.match(await (await fetch(first!.metrics!)).text(), /^# HELP /m);

    const [, host] = fleet.addresses();
    process.kill(second!.pid!, 'SIGKILL');
    const thief = createServer((socket) => socket.destroy());
    for (let tries = 0; !thief.listening; tries += 1) {
      assert.ok(tries < 100, 'the port did not become free');
      thief.listen({ host, port: spec.port });
      await Promise.race([once(thief, 'listening'), once(thief, 'error')]).catch(() => {});
      if (!thief.listening) await pause(2);
    }
    const closed = await fleet.until('main', ({ conditions }) =>
      conditions.some(({ code }) => code === 'endpoint_closed'),
    );
    const { machine, message } = closed.conditions.find(({ code }) => code === 'endpoint_closed')!;
    assert.equal(machine, 'machine-2');
    assert.match(message, /EADDRINUSE|in use/);
    assert.equal(closed.state, 'ready', 'its nodes serve all the same');
    assert.deepEqual(
      closed.endpoints.map(({ serves }) => serves),
      [true, false],
    );
    thief.close();
    const mended = await fleet.until('main', ({ endpoints }) => endpoints.every(({ serves }) => serves));
    assert.ok(mended.conditions.every(({ code }) => code !== 'endpoint_closed'));
    const client = await clientAt(fleet, host!);
    assert.equal(await client.ping(), 'PONG');
    client.disconnect();
  }));

it('replaces endpoints while clients write, and outlives agents and server', () =>
  withFleet({ machines: 2 }, async (fleet) => {
    const client = await clientAt(fleet, fleet.address);
    const failed: string[] = [];
    let written = 0;
    let going = true;
    const work = (async () => {
      while (going) {
        await client.set(`key:${written % 500}`, 'x').catch((error: Error) => failed.push(error.message));
        written += 1;
      }
    })();
    try {
      const before = (await endpointsOf(fleet)).map(({ pid }) => pid);
      const restarted = await fleet.cli('endpoint', 'restart', '--drain', '1', '--json');
      assert.deepEqual(restarted.json(), { machines: ['machine-1', 'machine-2'] }, restarted.stderr);
      const after = (await endpointsOf(fleet)).map(({ pid }) => pid);
      assert.ok(after.every((pid, index) => pid !== null && pid !== before[index]));
      await pause(1_500); // the old ones have ended by now
    } finally {
      going = false;
      await work;
      client.disconnect();
    }
    assert.deepEqual(failed, []);
    assert.ok(written > 100, `${written} writes`);

    const only = await fleet.cli('endpoint', 'restart', '--machine', 'machine-2', '--json');
    assert.deepEqual(only.json(), { machines: ['machine-2'] });
    assert.equal((await fleet.cli('endpoint', 'restart', '--machine', 'nowhere')).code, 3);
  }));
