/** More and fewer shards under load, on real engines: nothing lost, no error, and it can be paused, given up and interrupted. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { countSlots, SLOT_COUNT } from '../../src/domain/slots.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { PlanDocument } from '../../src/protocol/api.ts';
import { plainClient, Writers } from '../support/endpoint-writers.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';

const WRITERS = 8;
const KEYS = 4_000;
const LIBRARY = `#!lua name=lib
redis.register_function('double', function(keys, args) return tonumber(args[1]) * 2 end)`;

const isAt = (shards: number) => (status: DatabaseStatus) =>
  status.state === 'ready' && status.reshard === null && status.shards.length === shards;

/** In two of the sixteen databases, some for a time only. */
async function fill(client: Redis): Promise<void> {
  for (const db of [0, 5]) {
    const pipeline = client.pipeline().select(db);
    for (let index = 0; index < KEYS; index += 1) pipeline.set(`k:${index}`, `${db}:${index}`);
    for (let index = 0; index < KEYS; index += 10) pipeline.expire(`k:${index}`, 10_000);
    await pipeline.exec();
  }
  await client.select(0);
}

async function assertFilled(client: Redis): Promise<void> {
  for (const db of [0, 5]) {
    await client.select(db);
    const found: unknown[] = await client.mget(...Array.from({ length: KEYS }, (_, index) => `k:${index}`));
    assert.deepEqual(
      found,
      Array.from({ length: KEYS }, (_, index) => `${db}:${index}`),
    );
    assert.ok((await client.ttl('k:10')) > 9_000);
  }
  await client.select(0);
}

function assertServed({ shards }: DatabaseStatus): void {
  assert.equal(countSlots(shards.flatMap(({ slots }) => slots)), SLOT_COUNT);
  for (const { slots } of shards) assert.ok(countSlots(slots) > 0, 'a shard is left that owns nothing');
}

it('has more and then fewer shards under load, with all databases, times to live and functions', async (t) => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const client = await plainClient(fleet);
    await fill(client);
    await client.call('FUNCTION', 'LOAD', LIBRARY);
    const writing = await plainClient(fleet);
    const direct = await fleet.client();
    const writers = new Writers(writing, WRITERS);
    const throughNodes: string[] = [];
    let isGoing = true;
    const cluster = (async () => {
      for (let number = 0; isGoing; number += 1) {
        await direct.set(`direct:${number}`, number);
        throughNodes.push(`direct:${number}`);
      }
    })();
    try {
      for (const shards of [5, 2]) {
        const changed = await fleet.cli('db', 'update', 'main', '--shards', `${shards}`, '--timeout', '60');
        assert.equal(changed.code, 0, changed.stderr);
        const status = await fleet.show();
        assert.ok(isAt(shards)(status), JSON.stringify(status, null, 1));
        assertServed(status);
        await assertFilled(client);
        assert.equal(await client.call('FCALL', 'double', 1, 'k:7', 21), 42);
      }
    } finally {
      isGoing = false;
      await Promise.all([writers.stop(), cluster]);
    }
    assert.deepEqual(writers.errors, []);
    assert.ok(writers.acknowledged.length > 100 && throughNodes.length > 100);
    await writers.assertNothingLost();
    for (const key of throughNodes) assert.equal(await direct.get(key), key.slice(key.indexOf(':') + 1));
    t.diagnostic(`${writers.acknowledged.length} writes; the longest took ${Math.round(writers.longestMs)} ms`);
    for (const one of [client, writing, direct]) one.disconnect();
    const { events } = (await fleet.cli('events', '--json')).json<{ events: { kind: string }[] }>();
    assert.ok(events.some(({ kind }) => kind === 'reshard_done'));
  });
});

it('is paused, goes on, and is given up; one at a time, and only if the data fits', async () => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const client = await plainClient(fleet);
    await fill(client);
    const refusal = async (...args: string[]): Promise<unknown> => {
      const { code, stdout } = await fleet.cli(...args, '--json');
      return [code, (JSON.parse(stdout) as { error?: { code: string } }).error?.code];
    };
    assert.deepEqual(await refusal('db', 'reshard', 'pause', 'main'), [4, 'no_reshard']);
    assert.deepEqual(await refusal('db', 'update', 'main', '--shards', '40'), [2, 'invalid_value']);

    const plan = (await fleet.cli('db', 'plan', 'main', '--shards', '4', '--json')).json<PlanDocument>();
    assert.ok(plan.reshard!.slots > 3_000 && plan.reshard!.slots < 5_000, JSON.stringify(plan.reshard));
    for (const kind of ['create_node', 'move_slots'])
      assert.ok(
        plan.steps.some((step) => step.kind === kind),
        kind,
      );
    assert.equal((await fleet.show()).shards.length, 3, 'a plan changes nothing');

    await fleet.cli('db', 'update', 'main', '--shards', '4', '--no-wait');
    const paused = await fleet.cli('db', 'reshard', 'pause', 'main');
    assert.equal(paused.code, 0, paused.stderr);
    assert.match(paused.stdout, /^main to 4 shards: paused, \d+ % of \d+ slots are there/);
    assert.deepEqual(await refusal('db', 'update', 'main', '--shards', '6'), [4, 'reshard_running']);
    await pause(1_500); // a job that ran is over
    const left = (await fleet.show()).reshard!.left;
    assert.ok(left > 0, 'it was paused before all was moved');
    await pause(500);
    assert.equal((await fleet.show()).reshard!.left, left);
    const resumed = await fleet.cli('db', 'reshard', 'resume', 'main', '--timeout', '30');
    assert.equal(resumed.code, 0, resumed.stderr);
    assertServed(await fleet.until('main', isAt(4)));

    await fleet.cli('db', 'update', 'main', '--shards', '1', '--no-wait');
    await fleet.cli('db', 'reshard', 'pause', 'main'); // so that it cannot be over before
    const cancelled = await fleet.cli('db', 'reshard', 'cancel', 'main', '--timeout', '30');
    assert.equal(cancelled.code, 0, cancelled.stderr);
    const back = await fleet.until('main', isAt(4));
    assert.equal(back.spec.shards, 4);
    assertServed(back);
    await assertFilled(client);
    client.disconnect();
  });
});

/** The source, the target, and the control plane are killed while slots move; all of it comes to its end. */
it('goes on by itself when a node or the control plane is killed', async () => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const client = await plainClient(fleet);
    await fill(client);
    for (const [shards, killed] of [
      [5, 'source'],
      [3, 'target'],
      [4, 'server'],
    ] as const) {
      await fleet.cli('db', 'update', 'main', '--shards', `${shards}`, '--no-wait');
      const moving = await fleet.until('main', ({ reshard }) => reshard !== null && reshard.left < reshard.slots);
      await kill(fleet, moving, killed);
      const status = await fleet.until('main', isAt(shards), 60_000);
      assertServed(status);
      await assertFilled(client);
    }
    client.disconnect();
  });
});

async function kill(fleet: Fleet, { shards, reshard }: DatabaseStatus, what: string): Promise<void> {
  if (what === 'server') {
    const { pid } = (await fleet.cli('status', '--json')).json<{ pid: number }>();
    process.kill(pid, 'SIGKILL');
    await fleet.up();
    return;
  }
  const job = reshard?.job;
  const name = what === 'source' ? (job?.from ?? shards[0]!.id) : (job?.to ?? shards.at(-1)!.id);
  const primary = shards.find(({ id }) => id === name)?.primary;
  if (primary?.pid) process.kill(primary.pid, 'SIGKILL');
}
