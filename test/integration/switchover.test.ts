/** Planned switchovers under load through the endpoint: no error, nothing lost; and what is refused. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Redis } from 'ioredis';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { type Fleet, isSettled, withFleet } from '../support/fleet.ts';

const SWITCHOVERS = 6;
const WRITERS = 8;

/** A plain client of the endpoint of this machine. */
async function plainClient(fleet: Fleet): Promise<Redis> {
  const { endpoint } = await fleet.until('main', (status) => status.endpoint !== null);
  const { password } = (await fleet.cli('db', 'password', 'main', '--json')).json<{ password: string }>();
  return new Redis({ host: endpoint!.host, port: endpoint!.port, password, maxRetriesPerRequest: 0 });
}

it('changes places under load: no error, nothing lost', async (t) => {
  await withFleet({}, async (fleet) => {
    await fleet.until('main', isSettled);
    const client = await plainClient(fleet);
    const acknowledged: string[] = [];
    const errors: string[] = [];
    let going = true;
    let longestMs = 0;
    const writer = async (name: number): Promise<void> => {
      for (let number = 0; going; number += 1) {
        const key = `w:${name}:${number}`;
        const startedAt = performance.now();
        await client.set(key, key).then(
          () => acknowledged.push(key),
          (error: Error) => errors.push(error.message),
        );
        longestMs = Math.max(longestMs, performance.now() - startedAt);
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, name) => writer(name));
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
      going = false;
      await Promise.all(writers);
    }
    assert.deepEqual(errors, []);
    assert.ok(acknowledged.length > 1_000);
    for (let at = 0; at < acknowledged.length; at += 1_000) {
      const keys = acknowledged.slice(at, at + 1_000);
      assert.deepEqual(await client.mget(...keys), keys);
    }
    t.diagnostic(`${acknowledged.length} writes; the longest took ${Math.round(longestMs)} ms`);
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
