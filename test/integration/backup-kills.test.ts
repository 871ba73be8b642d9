/** Server, agents and nodes killed in the middle of backups and restores; many more by `npm run bench:backup-kills`. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { BackupStatus } from '../../src/domain/backup.ts';
import { Random } from '../sim/random.ts';
import { contentOfDatabase, killInBackup, killInRestore } from '../support/backup-kills.ts';
import { plainClient } from '../support/endpoint-writers.ts';
import { fillEveryType, fillMany } from '../support/every-type.ts';
import { isSettled, withFleet } from '../support/fleet.ts';

const NUMBERS = [0, 5, 15];
const KEYS = 5_000;
const ROUNDS = 2;
const SEED = 1;

it('takes none for whole that is not, and ends what was begun', async (t) => {
  const random = new Random(SEED);
  await withFleet({ machines: 3 }, async (fleet) => {
    const client = await plainClient(fleet);
    await fillEveryType(client);
    await fillMany(client, KEYS, 1_000);
    client.disconnect();
    const content = await contentOfDatabase(fleet, 'main', NUMBERS);
    const from = (await fleet.cli('backup', 'create', 'main', '--json')).json<BackupStatus>().id;
    for (let round = 0; round < ROUNDS; round += 1) {
      const backup = await killInBackup(fleet, 'main', random);
      t.diagnostic(JSON.stringify(backup));
      await fleet.until('main', isSettled);
      const restore = await killInRestore(fleet, { from, content, numbers: NUMBERS, shards: 2 + round }, random);
      t.diagnostic(JSON.stringify(restore));
    }
    assert.equal((await fleet.cli('backup', 'delete', from, '--yes')).code, 0);
  });
});
