/** Planned switchovers under load through the endpoint: no error, nothing lost; and what is refused. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { plainClient, Writers } from '../support/endpoint-writers.ts';
import { isSettled, withFleet } from '../support/fleet.ts';

const SWITCHOVERS = 6;
const WRITERS = 8;

it('changes places under load: no error, nothing lost', async (t) => {
  await withFleet({}, async (fleet) => {
    await fleet.until('main', isSettled);
    const client = await plainClient(fleet);
    const writers = new Writers(client, WRITERS);
    try {
      for (let number = 0; number < SWITCHOVERS; number += 1) {
        const shard = `shard-${1 + (number % 3)}`;
        const before = (await fleet.show()).shards.find(({ id }) => id === shard)!;
        const { machine, nodeId } = before.replicas[0]!;
        const done = await fleet.cli('shard', 'switchover', 'main', shard, '--to', machine, '--json');
        assert.equal(done.code, 0, done.stdout);
        assert.deepEqual(done.json(), { shard, from: before.primary!.nodeId, to: nodeId });
        const after = (await fleet.show()).shards.find(({ id }) => id === shard)!;
        assert.equal(after.primary?.nodeId, nodeId);
      }
    } finally {
      await writers.stop();
    }
    assert.deepEqual(writers.errors, []);
    assert.ok(writers.acknowledged.length > 1_000);
    await writers.assertNothingLost();
    t.diagnostic(`${writers.acknowledged.length} writes; the longest took ${Math.round(writers.longestMs)} ms`);
    client.disconnect();
  });
});

it('says what is wrong with a switchover that cannot be', async () => {
  await withFleet({}, async (fleet) => {
    const status = await fleet.until('main', isSettled);
    const codeOf = async (...words: string[]): Promise<[number, string]> => {
      const { code, json } = await fleet.cli('shard', 'switchover', ...words, '--json');
      return [code, json<{ error: { code: string } }>().error.code];
    };
    assert.deepEqual(await codeOf('other', 'shard-1'), [3, 'database_not_found']);
    assert.deepEqual(await codeOf('main', 'shard-7'), [3, 'shard_not_found']);
    assert.deepEqual(await codeOf('main', 'shard-1', '--to', 'machine-9'), [3, 'copy_not_found']);
    const { machine } = status.shards.find(({ id }) => id === 'shard-1')!.primary!;
    assert.deepEqual(await codeOf('main', 'shard-1', '--to', machine), [5, 'switchover_refused']);
    const primaries = (of: DatabaseStatus) => of.shards.map(({ primary }) => primary?.nodeId);
    assert.deepEqual(primaries(await fleet.until('main', isSettled)), primaries(status));
  });
});
