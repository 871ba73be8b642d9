/** Watches of a real etcd over a line that breaks. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { sharedEtcd } from '../../test/support/etcd.ts';
import { Relay } from '../../test/support/relay.ts';
import { delivered, isMark } from '../../test/support/store-delivered.ts';
import { catchUncaught } from '../../test/support/uncaught.ts';
import type { ValkeeperError } from '../domain/errors.ts';
import { openEtcdStore } from './etcd.ts';
import type { Store } from './store.ts';

const shared = sharedEtcd({ args: ['--experimental-watch-progress-notify-interval', '200ms'] });
let opened = 0;

async function storesOf(t: TestContext) {
  const [target = ''] = shared.etcd.urls;
  const relay = await Relay.start(target);
  opened += 1;
  const prefix = `follower-${opened}`;
  const store = await openEtcdStore({ urls: [relay.url], prefix, silenceMs: 300 });
  const other = await openEtcdStore({ urls: [target], prefix });
  t.after(async () => {
    await Promise.all([store.close(), other.close()]);
    relay.cut();
  });
  return { relay, store, other };
}

const put = async (store: Store, key: string): Promise<number> => {
  const done = await store.commit([{ put: key, value: 0 }]);
  assert.ok(done.ok);
  return done.revision;
};
const compact = (revision: number) => shared.etcd.ask('/v3/kv/compaction', { revision: String(revision) });

test('a watch goes on over a broken line, without a gap and without a double', async (t) => {
  const { relay, store, other } = await storesOf(t);
  const heard: string[] = [];
  let hear = (): void => {};
  store.watch('', ({ key, kind, revision }) => {
    heard.push(`${kind} ${key} ${revision}`);
    hear();
  });
  const all = async (): Promise<void> => {
    while (heard.length < expected.length) {
      await new Promise<void>((resolve) => {
        hear = resolve;
      });
    }
  };
  const expected: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    expected.push(`put before${round} ${await put(other, `before${round}`)}`);
    if (round % 2 === 0) await all();
    relay.cut();
    expected.push(`put while${round} ${await put(other, `while${round}`)}`);
    await relay.restore();
    const done = await other.commit([{ delete: `before${round}` }, { put: 'same', value: round }]);
    assert.ok(done.ok);
    expected.push(`delete before${round} ${done.revision}`, `put same ${done.revision}`);
  }
  await all();
  assert.deepEqual(heard, expected);
});

test('what etcd has forgotten meanwhile ends the watches, which is told, and new ones go on', async (t) => {
  const { relay, store, other } = await storesOf(t);
  const heard: string[] = [];
  const first = Promise.withResolvers<ValkeeperError>();
  const loud: unknown[] = [];
  store.watch('', ({ key }) => heard.push(key), { onGap: first.resolve });
  store.watch('', ({ key }) => heard.push(key));
  const fault = new Error('listener at fault');
  const onGap = (): void => {
    throw fault;
  };
  store.watch('', ({ key }) => heard.push(key), { onGap });
  const restore = catchUncaught((error) => loud.push(error));
  relay.cut();
  const missed = await put(other, 'missed');
  const known = await put(other, 'known');
  await compact(known);
  await relay.restore();
  const message = new RegExp(`since revision \\d+, only those since ${known}\\.`);
  assert.ok(valkeeperError('store_history_gone', message)(await first.promise));
  await delivered(store);
  restore();
  assert.ok(valkeeperError('store_history_gone', message)(loud[0]));
  assert.deepEqual(loud.slice(1), [fault]);
  assert.throws(
    () => store.watch('', () => {}, { fromRevision: missed }),
    valkeeperError('store_history_gone', message),
  );
  const again: string[] = [];
  store.watch('', ({ key }) => again.push(key), { fromRevision: known });
  await put(other, 'later');
  await delivered(store);
  assert.deepEqual(
    again.filter((key) => !isMark(key)),
    ['known', 'later'],
  );
  assert.deepEqual(heard, []);
});

test('what others do in the same etcd, and is forgotten, is no gap', async (t) => {
  const { relay, store, other } = await storesOf(t);
  const foreign = await openEtcdStore({ urls: shared.etcd.urls, prefix: 'somebody-else' });
  t.after(() => foreign.close());
  const heard: string[] = [];
  store.watch('', ({ key }) => heard.push(key));
  let revision = 0;
  for (let times = 0; times < 20; times += 1) revision = await put(foreign, 'theirs');
  const told = relay.hears(`"revision":"${revision}"`); // by the watch: nothing else asks here
  await told;
  relay.cut();
  await compact(revision);
  await relay.restore();
  await put(other, 'ours');
  await delivered(store);
  assert.deepEqual(
    heard.filter((key) => !isMark(key)),
    ['ours'],
  );
});
