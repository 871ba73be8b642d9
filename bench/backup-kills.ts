/**
 * Kills in the middle of backups and restores: of the server, an agent or a node, at any moment, by seed. A backup is
 * whole afterwards or is not there; a restore goes on, and nobody is let in before all of it is there.
 *
 *   npm run bench:backup-kills -- [--times N] [--seed N] [--keys N]
 */
import { parseArgs } from 'node:util';
import type { BackupStatus } from '../src/domain/backup.ts';
import { Random } from '../test/sim/random.ts';
import { contentOfDatabase, type Kill, killInBackup, killInRestore } from '../test/support/backup-kills.ts';
import { plainClient } from '../test/support/endpoint-writers.ts';
import { fillEveryType, fillMany } from '../test/support/every-type.ts';
import { isSettled, withFleet } from '../test/support/fleet.ts';
import { progress } from './support/report.ts';

const { values: options } = parseArgs({
  options: {
    times: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    keys: { type: 'string', default: '20000' },
  },
});

const NUMBERS = [0, 5, 15];
const VALUE_BYTES = 1_000;
const MOST_SHARDS = 5;

const random = new Random(Number(options.seed));
const kills: Kill[] = [];
await withFleet({ machines: 3 }, async (fleet) => {
  const client = await plainClient(fleet);
  await fillEveryType(client);
  await fillMany(client, Number(options.keys), VALUE_BYTES);
  client.disconnect();
  const content = await contentOfDatabase(fleet, 'main', NUMBERS);
  const from = (await fleet.cli('backup', 'create', 'main', '--json')).json<BackupStatus>().id;
  for (let round = 1; round <= Number(options.times); round += 1) {
    kills.push(await killInBackup(fleet, 'main', random));
    progress(`${round} of ${options.times}: ${JSON.stringify(kills.at(-1))}`);
    await fleet.until('main', isSettled);
    const shards = 1 + random.below(MOST_SHARDS);
    kills.push(await killInRestore(fleet, { from, content, numbers: NUMBERS, shards }, random));
    progress(`${round} of ${options.times}: ${JSON.stringify(kills.at(-1))}, ${shards} shards`);
  }
});
const count = (isSo: (kill: Kill) => boolean): number => kills.filter(isSo).length;
console.log(
  `${count(({ what }) => what === 'backup')} backups: ${count(({ what, outcome }) => what === 'backup' && outcome === 'done')} whole, the others not there; ${count(({ what }) => what === 'restore')} restores: all went on, equal in every key.`,
);
