/** A change of the number of shards that takes a while to weigh, and what may have been asked for meanwhile. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { Reply } from '../resp/reply.ts';
import { JobTimes } from './job-times.ts';
import { QuietNodes } from './quiet-nodes.ts';
import { type ReshardSurroundings, Reshards } from './reshards.ts';

/** Slots without keys. */
const empty = (question: readonly unknown[]): Reply => {
  const [from, to] = question.slice(3).map(Number) as [number, number];
  return Array.from({ length: to - from + 1 }, (_, index): Reply => [from + index, ['key-count', 0]]);
};

const node = {
  pipeline: async (questions: unknown[][]) => questions.map(empty),
  command: async () => 'cmdstat_get:calls=5,usec=9',
};

const around = {
  jobTimes: new JobTimes(),
  quietNodes: new QuietNodes(),
  engines: { connection: () => node },
  grants: { furtherNodes: async () => [] },
  clock: { now: () => 5, sleep: async () => {} },
} as unknown as ReshardSurroundings;

it('expects larger jobs where no client is heard of meanwhile', async () => {
  const { database, view } = readyWorld(fleet(3), { shards: 3 });
  const paceWith = async (pace: 'fast' | 'gentle', callsEachLook: number): Promise<string | undefined> => {
    let [now, calls] = [0, 0];
    const listening = {
      ...around,
      quietNodes: new QuietNodes(),
      clock: {
        now: () => now,
        sleep: async (ms: number) => {
          now += ms;
          calls += callsEachLook;
        },
      },
      engines: { connection: () => ({ ...node, command: async () => `cmdstat_get:calls=${calls},usec=9` }) },
    } as unknown as ReshardSurroundings;
    const next = await new Reshards(listening).change(database, { ...database.spec, shards: 2, pace }, view, () => []);
    return next(database).reshard?.estimate.pace;
  };
  assert.equal(await paceWith('gentle', 0), 'quiet');
  assert.equal(await paceWith('fast', 0), 'quiet');
  assert.equal(await paceWith('gentle', 1), 'gentle');
  assert.equal(await paceWith('fast', 1), 'fast');
});

it('stores no way over another that has begun since', async () => {
  const { database, view } = readyWorld(fleet(3), { shards: 3 });
  const next = await new Reshards(around).change(database, { ...database.spec, shards: 2 }, view, () => []);
  const changed = next(database);
  assert.deepEqual([changed.spec.shards, changed.reshard?.before.shards], [2, 3]);
  const moving: Database = { ...database, reshard: changed.reshard };
  assert.throws(
    () => next(moving),
    (error) => error instanceof ValkeeperError && error.code === 'reshard_running',
  );
});
