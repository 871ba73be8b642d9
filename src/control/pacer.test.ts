/** Endpoints are told a pace as long as it is to hold, and people once a job. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import type { NewEvent } from '../domain/event.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import type { DatabaseView } from '../domain/view.ts';
import { shardTopology } from '../plan/topology.ts';
import type { WriterPace } from '../protocol/endpoint-messages.ts';
import { Pacer } from './pacer.ts';

const MB = 1024 ** 2;
const { database, view } = readyWorld(fleet(3), { shards: 2, replicas: 1, memoryBytes: 300 * MB });
const primaryOf = (shard: string): string => shardTopology(database, view, shard).owner!.assignment.id;
const [source, target] = [primaryOf('shard-1'), primaryOf('shard-2')];

/** What is seen while a job runs, by both its sides; null: none runs. */
function seen(at: number, job: Partial<SlotMigration> | null): DatabaseView {
  const facts = { name: 'one', slots: [[0, 9]], source, target, state: 'active', message: '' } as const;
  const told = (side: 'import' | 'export', phase: string, remainingBytes: number): SlotMigration[] =>
    job === null ? [] : [{ ...facts, side, phase, createdAt: 0, updatedAt: 0, remainingBytes, ...job }];
  const nodes = new Map(view.nodes);
  nodes.set(target, { ...view.nodes.get(target)!, migrations: told('import', 'waiting-for-paused', 0) });
  nodes.set(source, {
    ...{ ...view.nodes.get(source)!, migrations: told('export', 'waiting-to-pause', 9 * MB) },
    receivedBytesPerSecond: 8 * MB,
  });
  // The target is asked first: its word is not the one that counts.
  return { ...view, at, nodes: new Map([[target, nodes.get(target)!], ...nodes]) };
}

function scene() {
  const paces: WriterPace[] = [];
  const events: NewEvent[] = [];
  const pacer = new Pacer({ pace: (pace) => paces.push(pace), record: (event) => events.push(event) });
  const look = (at: number, job: Partial<SlotMigration> | null): number | null => pacer.look(database, seen(at, job));
  return { paces, events, look };
}

describe('the pacer', () => {
  it('tells every change at once, what holds once a second, and the end', () => {
    const { look, paces } = scene();
    const job = {};
    const told: unknown[] = [];
    for (const at of [0, 500, 1_000, 1_250, 1_900, 2_000, 2_250]) told.push(look(at, job));
    assert.deepEqual(told, [null, null, 4 * MB, 4 * MB, 4 * MB, 2 * MB, 2 * MB]);
    const { uid } = database;
    const slots = [[0, 9]];
    assert.deepEqual(paces.splice(0), [
      { database: uid, slots, bytesPerSecond: 4 * MB },
      { database: uid, slots, bytesPerSecond: 2 * MB },
    ]);
    const handsOver = { phase: 'failover-paused' };
    for (const at of [2_500, 2_900, 3_000, 3_900, 4_000]) assert.equal(look(at, handsOver), 2 * MB);
    assert.equal(paces.splice(0).length, 2, 'at 3000 and 4000');
    assert.equal(look(4_100, null), null);
    assert.equal(look(4_200, null), null);
    assert.deepEqual(paces, [{ database: uid, slots: [], bytesPerSecond: null }]);
  });

  it('records it once a job', () => {
    const { look, events } = scene();
    for (let at = 0; at <= 5_000; at += 250) look(at, {});
    look(5_250, null);
    for (let at = 5_500; at <= 6_500; at += 250) look(at, { name: 'two', slots: [[10, 29]] });
    assert.deepEqual(
      events.map(({ kind, severity, details }) => [kind, severity, details?.['slots']]),
      [
        ['writers_paced', 'warning', 10],
        ['writers_paced', 'warning', 20],
      ],
    );
    assert.match(events[0]!.message, /^Writers to 10 slots on their way from shard-1 to shard-2 are paced, to 4mb\/s /);
  });

  it('goes from one job to the next without its pace', () => {
    const { look, paces } = scene();
    look(0, {});
    assert.equal(look(1_000, {}), 4 * MB);
    assert.equal(look(1_100, { name: 'two' }), null);
    assert.equal(paces.at(-1)!.bytesPerSecond, null);
  });

  it('tells nobody anything while no job runs, or one comes to its end by itself', () => {
    const { look, paces, events } = scene();
    look(0, null);
    look(1_000, { phase: 'snapshotting' });
    look(9_000, { phase: 'snapshotting' });
    look(9_500, { phase: 'failover-granted' });
    look(20_000, null);
    assert.deepEqual([paces, events], [[], []]);
  });
});
