/** What is asked of a node, and in which order. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import { Observer, type ObserverSurroundings } from './observer.ts';

/** The first words of all questions to a node. */
async function askedOf(database: Database): Promise<string[]> {
  const asked: string[] = [];
  const answer = async (...commands: (readonly unknown[])[]): Promise<never> => {
    asked.push(...commands.map((words) => words.slice(0, 2).join(' ')));
    throw new Error('no answer');
  };
  const node = { command: (...words: unknown[]) => answer(words), pipeline: (all: unknown[][]) => answer(...all) };
  const around = {
    agents: { isGone: () => false, report: () => 'unknown' },
    ...{ engines: { connection: () => node }, clock: { now: () => 0 }, machines: () => [] },
  } as unknown as ObserverSurroundings;
  await new Observer(around).observeNode(database, database.nodes[0]!);
  return asked;
}

it('asks for jobs while slots move, and before it asks who owns them: one that has ended has then moved them', async () => {
  const { database } = readyWorld(fleet(3), { shards: 1 });
  const resting = await askedOf(database);
  assert.ok(resting.includes('CLUSTER NODES') && !resting.includes('CLUSTER GETSLOTMIGRATIONS'));
  const moving = await askedOf({ ...database, reshard: {} as NonNullable<Database['reshard']> });
  assert.equal(moving[0], 'CLUSTER GETSLOTMIGRATIONS');
  assert.deepEqual(moving.slice(1, 1 + resting.length), resting);
});
