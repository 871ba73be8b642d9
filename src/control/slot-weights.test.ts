/** How much each slot holds, and what is said when a primary cannot tell. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { countSlots, type SlotRange } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Reply } from '../resp/reply.ts';
import { EngineUnreachable } from '../valkey/engine-errors.ts';
import type { Engines } from '../valkey/engines.ts';
import { bytesBySlot, weighSlots } from './slot-weights.ts';

/** Every node has so much data. */
const withData = (view: DatabaseView, dataBytes: number): DatabaseView => ({
  ...view,
  nodes: new Map(
    [...view.nodes].map(([id, node]) => [
      id,
      node.engine.state === 'answering' ? { ...node, engine: { ...node.engine, dataBytes } } : node,
    ]),
  ),
});

/** Primaries that all answer in this way. */
const engines = (answer: (questions: readonly (readonly unknown[])[]) => Promise<Reply[]>): Engines =>
  ({ connection: () => ({ pipeline: answer }) }) as unknown as Engines;

const KEY_BYTES = 100;

/** Every slot has one key, named after it; those of the first hundred slots are ten times as large. */
function oneKeyEach([command, , ...args]: readonly unknown[]): Reply {
  if (command === 'MEMORY') return Number(args[0]) < 100 ? 10 * KEY_BYTES : KEY_BYTES;
  if (args.length === 2) return [Buffer.from(String(args[0]))]; // GETKEYSINSLOT
  const [from, to] = args.slice(1).map(Number) as [number, number];
  return Array.from({ length: to - from + 1 }, (_, index): Reply => [from + index, ['key-count', 1]]);
}

it('asks every primary for the keys of its slots, and for the size of some', async () => {
  const { database, view } = readyWorld(fleet(3), { shards: 3 });
  const { keys, bytes, owners } = await weighSlots(
    engines(async (questions) => questions.map(oneKeyEach)),
    database,
    withData(view, 1_000_000),
  );
  assert.ok(keys.every((count) => count === 1));
  assert.equal(countSlots([...owners.values()].flat() as SlotRange[]), keys.length);
  const ratio = bytes[0]! / bytes[200]!;
  assert.ok(ratio > 5 && ratio < 10, `${ratio}: in proportion, with a little for the slot itself`);
});

it('asks a busy primary again', async () => {
  const { database, view } = readyWorld(fleet(3), { shards: 3 });
  let asked = 0;
  const busy = engines(async (questions) => {
    asked += 1;
    if (asked % 20 === 0) throw new EngineUnreachable('timeout', 'no answer within 1000 ms');
    return questions.map(oneKeyEach);
  });
  const { keys } = await weighSlots(busy, database, withData(view, 1_000_000));
  assert.ok(keys.every((count) => count === 1));
});

it('refuses with the reason when a primary dies between the look and the question', async () => {
  const { database, view } = readyWorld(fleet(3), { shards: 3 });
  const dead = engines(async () => {
    throw new EngineUnreachable('closed', 'the node closed the connection');
  });
  await assert.rejects(weighSlots(dead, database, view), (error) => {
    assert.ok(error instanceof ValkeeperError && error.code === 'reshard_refused');
    assert.match(error.message, /the primary of shard-\d does not answer \(the node closed the connection\)/);
    return true;
  });
});

it('makes together what the shard has, in proportion to the sample', () => {
  const found = bytesBySlot(
    new Map([
      [1, 10],
      [2, 10],
      [3, 20],
    ]),
    new Map([
      [1, 1_000],
      [2, 3_000],
    ]),
    16_000,
  );
  // Without a sample, slot 3 has keys of mean size: 200 bytes.
  assert.deepEqual(
    [...found],
    [
      [1, 2_000],
      [2, 6_000],
      [3, 8_000],
    ],
  );
});

it('adds up to the data whatever the sample says, and is never below zero', () => {
  const counts = fc.array(fc.tuple(fc.nat(1_000), fc.option(fc.integer({ min: 1, max: 1e9 }))), { minLength: 1 });
  fc.assert(
    fc.property(counts, fc.nat(1e12), (slots, dataBytes) => {
      const keys = new Map(slots.map(([count], slot) => [slot, count]));
      const sampled = new Map(
        slots.flatMap(([count, bytes], slot) => (count > 0 && bytes ? [[slot, bytes] as const] : [])),
      );
      const found = [...bytesBySlot(keys, sampled, dataBytes).values()];
      assert.ok(found.every((bytes) => bytes >= 0 && Number.isFinite(bytes)));
      const sum = found.reduce((total, bytes) => total + bytes, 0);
      const expected = [...keys.values()].some((count) => count > 0) ? dataBytes : 0;
      assert.ok(Math.abs(sum - expected) <= expected * 1e-9);
    }),
  );
});
