/** A store on three real members of etcd, of which some die, stop, or start again while it is in use. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEtcdStore } from '../../src/store/etcd.ts';
import type { Store } from '../../src/store/store.ts';
import { type EtcdMember, sharedEtcd } from '../support/etcd.ts';
import { delivered } from '../support/store-delivered.ts';

const shared = sharedEtcd({ members: 3 });
let opened = 0;

/** Counts up from two sides by compare-and-set, watched from both. */
class Load {
  readonly #stores: readonly Store[];
  readonly #heard: number[][] = [];
  readonly #counting: Promise<number>[];
  #last = performance.now();
  #longestMs = 0;
  #acknowledged = 0;
  #over = false;

  constructor(stores: readonly Store[]) {
    this.#stores = stores;
    for (const store of stores) {
      const heard: number[] = [];
      this.#heard.push(heard);
      store.watch<number>('n', (change) => heard.push(change.kind === 'put' ? change.value : Number.NaN));
    }
    this.#counting = stores.map((store) => this.#count(store));
  }

  async #count(store: Store): Promise<number> {
    let counted = 0;
    while (!this.#over) {
      const entry = await store.get<number>('n');
      const value = (entry?.value ?? 0) + 1;
      const done = await store.commit([{ put: 'n', value, expect: entry?.revision ?? 'absent' }]);
      if (!done.ok) continue;
      counted += 1;
      this.#acknowledged += 1;
      const nowMs = performance.now();
      this.#longestMs = Math.max(this.#longestMs, nowMs - this.#last);
      this.#last = nowMs;
    }
    return counted;
  }

  /** Resolves when so many more were counted. */
  async more(count: number): Promise<void> {
    const wanted = this.#acknowledged + count;
    while (this.#acknowledged < wanted) await sleep(5);
  }

  /** Resolves when all watchers have heard what was counted before. */
  async watched(): Promise<void> {
    const counted = this.#acknowledged;
    while (this.#heard.some((heard) => heard.length < counted)) await sleep(5);
  }

  /** Ends it; all that was counted is there, and was heard once, in order. Returns the longest pause, in ms. */
  async check(): Promise<number> {
    this.#over = true;
    const counted = (await Promise.all(this.#counting)).reduce((sum, one) => sum + one, 0);
    assert.equal((await this.#stores[0]!.get<number>('n'))?.value, counted);
    for (const store of this.#stores) await delivered(store);
    const all = Array.from({ length: counted }, (_, index) => index + 1);
    for (const heard of this.#heard) assert.deepEqual(heard, all);
    return Math.round(this.#longestMs);
  }
}

/** Two stores under load; the first uses the given member as long as it can. */
async function loadOn(t: TestContext, first: EtcdMember): Promise<Load> {
  const { urls } = shared.etcd;
  opened += 1;
  const prefix = `load-${opened}`;
  const open = async (own: readonly string[]): Promise<Store> => {
    const store = await openEtcdStore({ urls: own, prefix });
    t.after(() => store.close());
    return store;
  };
  const others = urls.filter((url) => url !== first.url);
  const load = new Load([await open([first.url, ...others]), await open(others)]);
  await load.more(20);
  return load;
}

test('the member that leads is killed: nothing is lost, doubled or torn', async (t) => {
  const leader = await shared.etcd.leader();
  const load = await loadOn(t, leader);
  await leader.kill();
  await load.more(30);
  await leader.start();
  await load.more(30);
  t.diagnostic(`the longest pause was ${await load.check()} ms`);
});

test('a member that only follows is killed: the others do not even notice', async (t) => {
  const leader = await shared.etcd.leader();
  const follower = shared.etcd.members.find((member) => member !== leader)!;
  const load = await loadOn(t, follower);
  await follower.kill();
  await load.more(30);
  const pauseMs = await load.check();
  t.diagnostic(`the longest pause was ${pauseMs} ms`);
  await follower.start();
});

test('a member is stopped and goes on later: its watches and requests move to another', async (t) => {
  const leader = await shared.etcd.leader();
  const load = await loadOn(t, leader);
  leader.pause();
  await load.more(30);
  await load.watched();
  leader.resume();
  await load.more(30);
  t.diagnostic(`the longest pause was ${await load.check()} ms`);
});

test('all members are killed and start again: what was acknowledged is there, and a lease is not over', async (t) => {
  const { members, urls } = shared.etcd;
  const store = await openEtcdStore({ urls, prefix: 'leases' });
  t.after(() => store.close());
  const lease = await store.grantLease(4_000);
  await store.commit([{ put: 'leased', value: 1, lease: lease.id }]);
  const load = await loadOn(t, members[0]!);
  await Promise.all(members.map((member) => member.kill()));
  await Promise.all(members.map((member) => member.start()));
  await load.more(30);
  t.diagnostic(`the longest pause was ${await load.check()} ms`);
  assert.ok(await store.keepLease(lease.id));
  assert.equal((await store.get('leased'))?.value, 1);
});
