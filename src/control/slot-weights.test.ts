/** How much each slot holds, and what is said when a primary cannot tell. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { countSlots, type SlotRange } from '../domain/slots.ts';
import type { Reply } from '../resp/reply.ts';
import { EngineUnreachable } from '../valkey/engine-errors.ts';
import type { Engines } from '../valkey/engines.ts';
import { weighSlots } from './slot-weights.ts';

type Question = readonly ['CLUSTER', 'SLOT-STATS', 'SLOTSRANGE', number, number];

/** Primaries that all answer CLUSTER SLOT-STATS in this way. */
const engines = (answer: (questions: readonly Question[]) => Promise<Reply[]>): Engines =>
  ({ connection: () => ({ pipeline: answer }) }) as unknown as Engines;

it('asks every primary for the keys of its slots', async () => {
  const { database, view } = readyWorld(fleet(3), { shards: 3 });
  const oneKeyEach = engines(async (questions) =>
    questions.map(([, , , from, to]) =>
      Array.from({ length: to - from + 1 }, (_, index): Reply => [from + index, ['key-count', 1]]),
    ),
  );
  const { keys, owners } = await weighSlots(oneKeyEach, database, view);
  assert.ok(keys.every((count) => count === 1));
  assert.equal(countSlots([...owners.values()].flat() as SlotRange[]), keys.length);
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
