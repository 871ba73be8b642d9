import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Host } from '../../test/support/hosts.ts';
import { startEngine } from '../../test/support/start-engine.ts';
import { nowMs } from './clock.ts';
import { Load } from './load.ts';

const PER_SECOND = 500;
const WITHIN_MS = 20_000;

it('the load logs every write, notices what is lost, and leaves nothing', async (t) => {
  const { host, port, stop } = await startEngine(t);
  const load = new Load(new Host('127.0.0.1', null), { kind: 'endpoint', host, port, password: null });
  t.after(() => load.close());
  const begin = async (prefix: string): Promise<void> => {
    await load.begin(prefix, PER_SECOND, [['a'], ['b', 'c']]);
    assert.ok((await load.accepted(1, nowMs(), WITHIN_MS)) !== null);
  };

  await begin('first');
  const writes = await load.end();
  assert.ok(
    writes.length > 1 && writes.every(({ outcome, answeredAt, sentAt }) => outcome === 'ok' && answeredAt! >= sentAt),
  );
  assert.deepEqual(
    writes.map(({ shard }) => shard),
    writes.map((_, number) => number % 2),
  );
  assert.deepEqual(await load.verify(), { lost: [], carriedOut: [] });

  await begin('first'); // the same keys again: they are found only if they were left
  assert.ok((await load.end()).every(({ outcome }) => outcome === 'ok'));
  assert.deepEqual(await load.verify(2), { lost: [0, 1], carriedOut: [] }, 'two were removed behind its back');

  await begin('last');
  await stop();
  assert.equal(await load.accepted(0, nowMs() + 50, 300), null);
  const cut = await load.end();
  assert.notEqual(cut.at(-1)!.outcome, 'ok');
});
