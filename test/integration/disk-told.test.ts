/** What an agent tells of its disk arrives, and costs it nothing. */
import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { MachineStatus } from '../../src/protocol/api.ts';
import { withFleet } from '../support/fleet.ts';

const MOST_MS = 10_000;

it('is shown with its machine, whose agent stays connected', async () => {
  await withFleet({ machines: 1 }, async (fleet) => {
    const show = async () => (await fleet.cli('machine', 'show', 'machine-1', '--json')).json<MachineStatus>();
    const { since } = await show();
    const deadline = performance.now() + MOST_MS;
    let seen = await show();
    while (!seen.disk) {
      assert.ok(performance.now() < deadline, 'nothing was told');
      await pause(100);
      seen = await show();
    }
    const { blocks, bsize } = statfsSync(fleet.dir);
    assert.equal(seen.disk.totalBytes, blocks * bsize);
    assert.ok(seen.disk.freeBytes > 0 && seen.disk.freeBytes <= seen.disk.totalBytes);
    await pause(1_000);
    assert.deepEqual([(await show()).since, (await show()).connected], [since, true]);
  });
});
