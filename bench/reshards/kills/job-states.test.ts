import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { SlotMigration } from '../../../src/domain/reshard.ts';
import { JobStates } from './job-states.ts';

const told = (name: string, side: SlotMigration['side'], phase: string): SlotMigration => ({
  ...{ name, side, phase, slots: [], source: 'a', target: 'b', state: 'active', message: '' },
  ...{ createdAt: 0, updatedAt: 0, remainingBytes: 0 },
});

it('lays together what both sides tell of a job', () => {
  const states = new JobStates();
  assert.equal(states.latest, null);
  states.note([told('1', 'export', 'snapshotting')]);
  states.note([told('1', 'import', 'receiving-snapshot')]);
  assert.deepEqual(states.latest, {
    ...{ name: '1', source: 'a', target: 'b', export: 'snapshotting', import: 'receiving-snapshot' },
  });
});

it('has reached a state that is or was, of the job asked for or a later one', () => {
  const states = new JobStates();
  states.note([told('1', 'export', 'replicating')]);
  assert.ok(states.hasReached('export:replicating', 1));
  assert.ok(states.hasReached('export:connecting', 1));
  assert.ok(!states.hasReached('export:waiting-to-pause', 1));
  assert.ok(!states.hasReached('import:receiving-snapshot', 1), 'the target has told nothing yet');
  assert.ok(!states.hasReached('export:replicating', 2));
  states.note([told('2', 'export', 'connecting'), told('1', 'export', 'success')]); // the latest is told first
  assert.ok(!states.hasReached('export:replicating', 1));
  assert.ok(states.hasReached('export:connecting', 2));
  states.note([told('2', 'export', 'failed')]);
  assert.ok(!states.hasReached('export:connecting', 2), 'a failed one is past nothing');
});

it('forgets jobs of the past, also when they are told again', () => {
  const states = new JobStates();
  states.note([told('1', 'export', 'success')]);
  states.begin();
  states.note([told('1', 'export', 'success')]);
  assert.equal(states.latest, null);
  assert.ok(!states.hasReached('export:connecting', 1));
});
