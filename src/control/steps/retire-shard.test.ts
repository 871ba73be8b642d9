/** A shard is taken out only when the record, as it is at that moment, still says that it is to leave. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../../test/support/worlds.ts';
import type { Database } from '../../domain/database.ts';
import type { Reshard, SlotsByShard } from '../../domain/reshard.ts';
import { SLOT_COUNT } from '../../domain/slots.ts';
import type { Step } from '../../plan/step.ts';
import type { Tools } from '../tools.ts';
import { retireShard } from './slots.ts';

const STEP: Extract<Step, { kind: 'retire_shard' }> = {
  ...{ kind: 'retire_shard', target: 'shard-2', args: {}, expects: {}, because: 'shard_leaving' },
};
const ALL = [[0, SLOT_COUNT - 1]] as const;

/** One shard owns all slots, and another none any more. */
function world(goal: SlotsByShard) {
  const { database, view } = readyWorld(fleet(3), { shards: 1, replicas: 1 });
  const further = database.nodes.map((node) => ({ ...node, id: `f${node.id.slice(1)}`, shard: 'shard-2' }));
  const before = { shards: 2, goal: { 'shard-1': [[0, 9]], 'shard-2': [[10, SLOT_COUNT - 1]] } } as const;
  const reshard = { goal, before, paused: false, cancels: false, startedAt: 0, retriesFrom: 0 } as unknown as Reshard;
  return { database: { ...database, nodes: [...database.nodes, ...further], reshard }, view };
}

/** Its outcome, with the record that is then stored. @param stored the record as it is when it is changed */
async function retire(looked: Database, stored: Database): Promise<[string, Database]> {
  let record = stored;
  const { view } = world({});
  const tools = {
    databases: { change: async (_: string, next: (present: Database) => Database) => (record = next(record)) },
    ...{ engines: { drop: () => {} }, observer: { observe: async () => view } },
    ...{ slotRates: { forget: () => {} }, quietNodes: { forget: () => {} } },
  } as unknown as Tools;
  return [(await retireShard(tools, looked, STEP)).result, record];
}

const shardsOf = ({ nodes }: Database): string[] => [...new Set(nodes.map(({ shard }) => shard))];

it('takes out a shard that owns nothing', async () => {
  const { database } = world({ 'shard-1': ALL, 'shard-2': [] });
  const [result, record] = await retire(database, database);
  assert.deepEqual([result, shardsOf(record)], ['done', ['shard-1']]);
});

it('keeps one that is to have its slots back since the look: the reshard was given up', async () => {
  const { database } = world({ 'shard-1': ALL, 'shard-2': [] });
  const cancelled = { ...database, reshard: { ...database.reshard, goal: database.reshard.before.goal } };
  const [result, record] = await retire(database, cancelled);
  assert.deepEqual([result, record], ['blocked', cancelled]);
});
