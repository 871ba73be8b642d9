import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keysBetween, withGentleChild } from './gentle-child.ts';

it('lets others in after some 16 kB, however large keys are', () => {
  assert.deepEqual([0, 16, 50, 1_024, 16_384, 1e9].map(keysBetween), [1_024, 1_024, 328, 16, 1, 1]);
});

it('forks with the setting, and takes it back whatever comes', async () => {
  const said: string[] = [];
  const node = {
    command: async (...args: unknown[]) => {
      said.push(args.join(' '));
      if (said.length === 1) throw new Error('an engine that has no such setting');
      return 'OK';
    },
  };
  assert.equal(await withGentleChild(node as never, 2_000, async () => said.push('fork')), 2);
  await assert.rejects(
    withGentleChild(node as never, 2_000, async () => Promise.reject(new Error('it did not fork'))),
    /it did not fork/,
  );
  const [set, back] = [`CONFIG SET rdb-key-save-delay -8`, `CONFIG SET rdb-key-save-delay 0`];
  assert.deepEqual(said, [set, 'fork', back, set, back]);
});
