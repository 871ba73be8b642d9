/** Slots that change their shards so that each has its share of the load, on real engines. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keyInSlots } from '../../src/domain/key-slot.ts';
import type { HotspotsDocument, RebalanceDocument } from '../../src/protocol/api.ts';
import { plainClient } from '../support/endpoint-writers.ts';
import { withFleet } from '../support/fleet.ts';

const PIPELINED = 50;

it('moves the slots of busy keys apart, and names the keys', async () => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const rebalance = async (...more: string[]) => fleet.cli('db', 'rebalance', 'main', '--json', ...more);
    const idle = await rebalance('--seconds', '1');
    assert.equal(idle.code, 4, idle.stdout);
    assert.match(idle.stdout, /"no_load"/);
    const evenly = (await rebalance('--by', 'memory')).json<RebalanceDocument>();
    assert.deepEqual([evenly.begun, evenly.estimate], [false, null]);

    const before = await fleet.show();
    const busy = before.shards[0]!;
    // Two that lie in one shard, far from each other.
    const keys = [keyInSlots('low', [[100, 2_000]]), keyInSlots('high', [[3_000, 5_000]])];
    const client = await plainClient(fleet);
    let isGoing = true;
    const load = (async () => {
      for (let number = 0; isGoing; number += 1) {
        const pipeline = client.pipeline();
        for (const key of keys) for (let at = 0; at < PIPELINED; at += 1) pipeline.set(key, number);
        for (const [error] of (await pipeline.exec())!) assert.equal(error, null);
      }
    })();
    try {
      const found = (await fleet.cli('db', 'hotspots', 'main', '--json', '--seconds', '1')).json<HotspotsDocument>();
      assert.equal(found.slots.length, 2, JSON.stringify(found));
      assert.deepEqual(new Set(found.slots.map(({ hottestKeys }) => hottestKeys[0]?.key)), new Set(keys));
      assert.ok(found.slots.every(({ shard, tooHot, share }) => shard === busy.id && tooHot && share > 0.3));

      const tried = (await rebalance('--dry-run', '--seconds', '1')).json<RebalanceDocument>();
      assert.equal(tried.begun, false);
      assert.ok(tried.imbalance.before > 2.5 && tried.imbalance.after < 2.1, JSON.stringify(tried));
      assert.ok(tried.estimate!.slots <= 3, 'no more slots move than have load');
      assert.deepEqual((await fleet.show()).shards[0]!.slots, busy.slots, 'a dry run changes nothing');

      const done = await rebalance('--seconds', '1');
      assert.equal(done.code, 0, done.stdout);
      assert.equal(done.json<RebalanceDocument>().begun, true);
      const status = await fleet.show();
      assert.deepEqual([status.state, status.reshard, status.spec.shards], ['ready', null, 3]);
      const after = (await fleet.cli('db', 'hotspots', 'main', '--json', '--seconds', '1')).json<HotspotsDocument>();
      assert.equal(new Set(after.slots.map(({ shard }) => shard)).size, 2, JSON.stringify(after.slots));
    } finally {
      isGoing = false;
      await load;
      client.disconnect();
    }
    const { events } = (await fleet.cli('events', '--json')).json<{ events: { kind: string }[] }>();
    for (const kind of ['rebalance_asked', 'reshard_done']) assert.ok(events.some((event) => event.kind === kind));
  });
});
