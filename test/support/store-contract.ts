/** What every store promises; run against each of them. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from '../../src/domain/json.ts';
import { type Change, type Op, STORE_LIMITS, type Store } from '../../src/store/store.ts';
import { valkeeperError } from './errors.ts';
import { delivered, isMark } from './store-delivered.ts';
import { leaseContract } from './store-lease-contract.ts';
import { catchUncaught } from './uncaught.ts';

/** Gives a new, empty store each time. The suite closes it. */
export type OpenStore = (t: TestContext) => Store | Promise<Store>;

interface ContractOptions {
  /** Whether nobody else uses what the store is kept in: then a new one is at revision 0. */
  alone?: boolean;
  /** Random sequences of commits that are tried. */
  runs?: number;
}

/** Runs the suite. */
export function storeContract(name: string, open: OpenStore, { alone = true, runs = 60 }: ContractOptions = {}): void {
  /** `base` is the revision of the new store. */
  const contract = (title: string, run: (store: Store, base: number) => Promise<void>) =>
    test(title, async (t) => {
      const store = await open(t);
      try {
        const base = await store.revision();
        if (alone) assert.equal(base, 0);
        await run(store, base);
      } finally {
        await store.close();
      }
    });

  describe(name, () => {
    leaseContract(contract);

    contract('what was put is there, what was deleted is not', async (store, base) => {
      assert.equal(await store.get('a'), null);
      assert.deepEqual(await store.commit([{ put: 'a', value: { n: 1 } }]), { ok: true, revision: base + 1 });
      assert.deepEqual(await store.commit([{ put: 'b', value: null }]), { ok: true, revision: base + 2 });
      assert.deepEqual(await store.get('a'), { key: 'a', value: { n: 1 }, revision: base + 1 });
      assert.deepEqual(await store.commit([{ delete: 'a' }]), { ok: true, revision: base + 3 });
      assert.equal(await store.get('a'), null);
      assert.deepEqual(await store.list(''), [{ key: 'b', value: null, revision: base + 2 }]);
      assert.equal(await store.revision(), base + 3);
    });

    contract('all changes of a commit share its revision; one that changes nothing takes none', async (store, base) => {
      await store.commit([
        { put: 'a', value: 1 },
        { put: 'b', value: 2 },
      ]);
      assert.deepEqual(
        (await store.list('')).map(({ revision }) => revision),
        [base + 1, base + 1],
      );
      assert.deepEqual(await store.commit([]), { ok: true, revision: base + 1 });
      assert.deepEqual(await store.commit([{ delete: 'gone' }]), { ok: true, revision: base + 1 });
      assert.deepEqual(await store.commit([{ put: 'a', value: 1 }]), { ok: true, revision: base + 2 });
    });

    contract('a failed expectation is an answer and changes nothing', async (store, base) => {
      await store.commit([{ put: 'a', value: 1 }]);
      await store.commit([{ put: 'b', value: 1 }]);
      const other: Op = { put: 'other', value: 1 };
      const cases: [Op, { conflict: string; actual: number | 'absent' }][] = [
        [
          { put: 'a', value: 2, expect: 'absent' },
          { conflict: 'a', actual: base + 1 },
        ],
        [
          { put: 'a', value: 2, expect: base + 2 },
          { conflict: 'a', actual: base + 1 },
        ],
        [
          { put: 'c', value: 2, expect: base + 1 },
          { conflict: 'c', actual: 'absent' },
        ],
        [
          { delete: 'b', expect: base + 1 },
          { conflict: 'b', actual: base + 2 },
        ],
        [
          { delete: 'c', expect: base + 1 },
          { conflict: 'c', actual: 'absent' },
        ],
      ];
      for (const [op, conflict] of cases) {
        assert.deepEqual(await store.commit([other, op]), { ok: false, ...conflict });
        assert.deepEqual(await store.commit([op, other]), { ok: false, ...conflict });
        assert.deepEqual(await store.commit([op]), { ok: false, ...conflict });
      }
      assert.deepEqual(
        (await store.list('')).map(({ key, value, revision }) => [key, value, revision]),
        [
          ['a', 1, base + 1],
          ['b', 1, base + 2],
        ],
      );
      assert.equal(await store.revision(), base + 2);
      const met: Op[] = [
        { put: 'a', value: 2, expect: base + 1 },
        { delete: 'b', expect: base + 2 },
        { put: 'c', value: 2, expect: 'absent' },
      ];
      assert.deepEqual(await store.commit(met), { ok: true, revision: base + 3 });
      assert.deepEqual(
        (await store.list('')).map(({ key }) => key),
        ['a', 'c'],
      );
    });

    contract('concurrent increments by compare-and-set lose none', async (store) => {
      let conflicts = 0;
      const increment = async () => {
        for (;;) {
          const entry = await store.get<number>('n');
          await new Promise(setImmediate); // everybody reads before anybody writes
          const op: Op = { put: 'n', value: (entry?.value ?? 0) + 1, expect: entry?.revision ?? 'absent' };
          if ((await store.commit([op])).ok) return;
          conflicts += 1;
        }
      };
      await Promise.all(Array.from({ length: 25 }, increment));
      assert.equal((await store.get('n'))?.value, 25);
      assert.ok(conflicts > 0, 'they did race');
    });

    contract('a list is in the order of UTF-8 bytes and is paged with limit and after', async (store) => {
      const keys = ['p/', 'p/A', 'p/a', 'p/a/b', 'p/b', 'p/é', 'p/\uff5e', 'p/\u{1f600}'];
      await store.commit([...keys].reverse().map((put) => ({ put, value: put })));
      await store.commit(['o', 'p', 'p0', 'q'].map((put) => ({ put, value: put })));
      const list = async (...args: Parameters<Store['list']>) => (await store.list(...args)).map(({ key }) => key);
      assert.deepEqual(await list('p/'), keys);
      assert.deepEqual(await list('p/', { limit: 3 }), keys.slice(0, 3));
      assert.deepEqual(await list('p/', { limit: 2, after: 'p/a' }), ['p/a/b', 'p/b']);
      assert.deepEqual(await list('p/', { after: 'p/a/' }), keys.slice(3), 'the cursor need not exist');
      assert.deepEqual(await list('p/', { after: 'o' }), keys, 'a cursor before the prefix changes nothing');
      assert.deepEqual(await list('p/', { after: 'p/\u{1f600}' }), []);
      assert.deepEqual(await list('p/', { after: 'q' }), []);
      assert.deepEqual(await list(''), ['o', 'p', ...keys, 'p0', 'q']);
    });

    contract('odd characters in a prefix mean themselves', async (store) => {
      const keys = [
        '%',
        '%x',
        '_',
        '_x',
        "'",
        "'x",
        '"x',
        '*x',
        '[a]x',
        '\\x',
        'ax',
        'é',
        'e\u0301x',
        '\u{1f600}x',
        ' x',
        '?x',
      ];
      await store.commit(keys.map((put) => ({ put, value: put })));
      for (const prefix of keys.map((key) => key.replace(/x$/, ''))) {
        const found = (await store.list(prefix)).map(({ key }) => key);
        assert.deepEqual(found.sort(), keys.filter((key) => key.startsWith(prefix)).sort(), prefix);
      }
    });

    contract('a list without a limit is complete or an error', async (store) => {
      const put = (count: number, from = 0): Promise<unknown> =>
        store.commit(Array.from({ length: count }, (_, index) => ({ put: `k/${from + index}`, value: index })));
      for (let from = 0; from < STORE_LIMITS.listEntries; from += 100) await put(100, from);
      assert.equal((await store.list('k/')).length, STORE_LIMITS.listEntries);
      await put(1, STORE_LIMITS.listEntries);
      await assert.rejects(store.list('k/'), valkeeperError('store_limit', /over 1000 entries/));
      assert.equal((await store.list('k/', { limit: STORE_LIMITS.listEntries })).length, STORE_LIMITS.listEntries);
    });

    contract('limits hold to the byte, and what is beyond them changes nothing', async (store) => {
      const long = 'é'.repeat(STORE_LIMITS.keyBytes / 2);
      const big = 'x'.repeat(STORE_LIMITS.valueBytes - 2);
      const many = (count: number): Op[] =>
        Array.from({ length: count }, (_, index) => ({ put: `${index}`, value: 0 }));
      assert.ok((await store.commit([{ put: long, value: big }])).ok);
      assert.equal((await store.get(long))?.value, big);
      assert.ok((await store.commit(many(STORE_LIMITS.opsPerCommit))).ok);
      const full: Op[] = [{ put: 'full', value: big }, { delete: 'none' }];
      const rest = 'x'.repeat(STORE_LIMITS.commitBytes - STORE_LIMITS.valueBytes - 'fullnonerest'.length - 2);
      assert.ok((await store.commit([...full, { put: 'rest', value: rest }])).ok);
      const refused: [Op[], RegExp][] = [
        [[{ put: `${long}x`, value: 0 }], /this key: é+\.\.\. has 513 bytes/],
        [[{ put: 'big', value: `${big}x` }], /big would have 1048577 bytes/],
        [many(STORE_LIMITS.opsPerCommit + 1), /125 operations/],
        [[...full, { put: 'rest', value: `${rest}x` }], /it has 1310721 bytes/],
        [[{ put: 'a', value: 1, expect: 0 }], /0 is no revision/],
        [[{ check: 'a', expect: 1.5 }], /1.5 is no revision/],
        [[{ put: '', value: 0 }], /empty/],
        [[{ delete: '' }], /empty/],
        [[{ put: 'a\u0000b', value: 0 }], /forbidden/],
        [[{ put: 'a\u{10FFFF}', value: 0 }], /forbidden/],
        [[{ put: '\ud800', value: 0 }], /forbidden/],
        [[{ put: 'a', value: 0 }, { delete: 'a' }], /a appears twice/],
        [
          [
            { put: 'a', value: 0 },
            { check: 'a', expect: 'absent' },
          ],
          /a appears twice/,
        ],
        [[{ put: 'a', value: undefined as unknown as JsonValue }], /JSON has no undefined/],
        [[{ put: 'a', value: { n: 1n } }], /BigInt/],
      ];
      const revision = await store.revision();
      for (const [ops, message] of refused) {
        const beside: Op[] = ops.length === 1 ? [{ put: 'beside', value: 1 }] : [];
        await assert.rejects(store.commit([...beside, ...ops]), valkeeperError('store_limit', message));
      }
      assert.equal(await store.revision(), revision);
      assert.equal(await store.get('beside'), null);
      for (const limit of [0, -1, 1.5, STORE_LIMITS.listEntries + 1, Number.NaN]) {
        await assert.rejects(store.list('', { limit }), valkeeperError('store_limit', /limit/));
      }
      await assert.rejects(store.get(''), valkeeperError('store_limit'));
      await assert.rejects(store.list('\u0001'), valkeeperError('store_limit', /prefix/));
      await assert.rejects(store.list('', { after: '\ud800' }), valkeeperError('store_limit', /cursor/));
      assert.throws(() => store.watch('\u0001', () => {}), valkeeperError('store_limit', /prefix/));
    });

    contract("values are nobody else's: changing what went in or came out changes nothing inside", async (store) => {
      const given = { list: [1] };
      const seen: Change<typeof given>[] = [];
      store.watch<typeof given>('a', (change) => {
        if (change.kind === 'put') change.value.list.push(9);
        seen.push(change);
      });
      store.watch<typeof given>('a', (change) => seen.push(change));
      await store.commit([{ put: 'a', value: given }]);
      given.list.push(2);
      (await store.get<typeof given>('a'))!.value.list.push(3);
      (await store.list<typeof given>('a'))[0]!.value.list.push(4);
      assert.deepEqual((await store.get('a'))!.value, { list: [1] });
      await delivered(store);
      assert.deepEqual(
        seen.map((change) => change.kind === 'put' && change.value),
        [{ list: [1, 9] }, { list: [1] }],
      );
    });

    contract(
      'a watcher hears each change under its prefix once, in order, until it ends the watch',
      async (store, base) => {
        await store.commit([{ put: 'p/early', value: 0 }]);
        const seen: Change[] = [];
        const unwatch = store.watch('p/', (change) => seen.push(change));
        const commits = [];
        for (let n = 0; n < 50; n++) {
          commits.push(
            store.commit([
              { put: `p/${n}`, value: n },
              { put: `q/${n}`, value: n },
            ]),
          );
        }
        assert.deepEqual(seen, [], 'never inside a commit');
        await Promise.all(commits);
        await store.commit([{ put: 'p/0', value: 'lost', expect: 'absent' }]);
        await store.commit([{ delete: 'p/none' }, { delete: 'p/0' }, { put: 'p/early', value: 1 }]);
        await delivered(store);
        const expected: Change[] = Array.from({ length: 50 }, (_, n) => ({
          kind: 'put',
          key: `p/${n}`,
          value: n,
          revision: base + n + 2,
        }));
        expected.push(
          { kind: 'delete', key: 'p/0', revision: base + 52 },
          { kind: 'put', key: 'p/early', value: 1, revision: base + 52 },
        );
        assert.deepEqual(seen, expected);
        const last = store.commit([{ put: 'p/x', value: 0 }]);
        unwatch();
        await last;
        await delivered(store);
        assert.equal(seen.length, 52, 'not even what was under way');
      },
    );

    contract('a listener may end its own watch and those of others, in the middle of a commit', async (store) => {
      const seen: string[] = [];
      const ends = ['first', 'second'].map((name) =>
        store.watch('', ({ key }) => {
          seen.push(`${name} ${key}`);
          if (key === 'b') for (const end of ends) end();
        }),
      );
      await store.commit(['a', 'b', 'c'].map((put) => ({ put, value: 0 })));
      await store.commit([{ put: 'd', value: 0 }]);
      await delivered(store);
      assert.deepEqual(seen, ['first a', 'first b']);
    });

    contract('a watch can begin in the past, and says so when that is gone', async (store, base) => {
      const revisions = async (fromRevision: number) => {
        const seen: number[] = [];
        const unwatch = store.watch('', ({ revision }) => seen.push(revision), { fromRevision });
        await delivered(store);
        unwatch();
        return seen;
      };
      for (let n = 1; n <= 3; n++)
        await store.commit([
          { put: 'a', value: n },
          { put: `b${n}`, value: n },
        ]);
      const after = [base + 4, base + 5]; // what `delivered` writes
      assert.deepEqual(await revisions(base + 2), [base + 2, base + 2, base + 3, base + 3, ...after]);
      assert.deepEqual(await revisions(base + 6), [base + 6, base + 7], 'from the next');
      assert.deepEqual(await revisions(base + 9), [base + 9], 'from a later one: not yet');
      for (let n = 0; n < STORE_LIMITS.historyChanges; n++) await store.commit([{ put: 'a', value: n }]);
      await delivered(store);
      const last = await store.revision();
      const oldest = last - STORE_LIMITS.historyChanges + 1;
      assert.throws(
        () => store.watch('', () => {}, { fromRevision: oldest - 1 }),
        valkeeperError('store_history_gone', new RegExp(`since revision ${oldest - 1}, only those since ${oldest}`)),
      );
      assert.equal((await revisions(oldest)).length, STORE_LIMITS.historyChanges + 2);
    });

    contract('a listener may commit, watch and fail without harm to others', async (store, base) => {
      const first: number[] = [];
      const second: number[] = [];
      const failures: string[] = [];
      const { promise: heardAll, resolve } = Promise.withResolvers<void>();
      store.watch<number>('n', (change) => {
        first.push(change.revision);
        if (change.kind === 'put' && change.value < 5) void store.commit([{ put: 'n', value: change.value + 1 }]);
      });
      const restore = catchUncaught((error) => failures.push(error.message));
      store.watch('n', ({ revision }) => {
        if (revision === base + 2) throw new Error('listener at fault');
      });
      store.watch('n', ({ revision }) => {
        second.push(revision);
        if (revision === base + 5) resolve();
      });
      await store.commit([{ put: 'n', value: 1 }]);
      await heardAll;
      await delivered(store);
      restore();
      assert.deepEqual(
        first,
        [1, 2, 3, 4, 5].map((n) => base + n),
      );
      assert.deepEqual(second, first);
      assert.deepEqual(failures, ['listener at fault']);
    });

    contract('after close nothing works, and closing again is no error', async (store) => {
      const seen: Change[] = [];
      store.watch('', (change) => seen.push(change));
      const last = store.commit([{ put: 'a', value: 1 }]);
      await store.close();
      await store.close();
      assert.ok((await last).ok);
      const closed = valkeeperError('store_closed');
      await assert.rejects(store.get('a'), closed);
      await assert.rejects(store.list(''), closed);
      await assert.rejects(store.commit([{ put: 'a', value: 1 }]), closed);
      await assert.rejects(store.revision(), closed);
      assert.throws(() => store.watch('', () => {}), closed);
    });

    test('any sequence of commits does what it does to a Map', async (t) => {
      await fc.assert(
        fc.asyncProperty(fc.array(commitArbitrary, { maxLength: 30 }), async (commits) => {
          const store = await open(t);
          try {
            await compareWithModel(store, commits);
          } finally {
            await store.close();
          }
        }),
        { numRuns: runs },
      );
    });
  });
}

const keyArbitrary = fc.constantFrom('a', 'a%', 'a_', 'ab', 'b', 'é', '\uff5e', '\u{1f600}');
/** How an expectation relates to the truth at the time of the commit. */
const expectArbitrary = fc.constantFrom('none', 'none', 'right', 'right', 'absent', 'stale');
/** Stands for the value of an operation that only checks. */
const CHECK = Symbol('check');
const opArbitrary = fc.record({
  key: keyArbitrary,
  value: fc.oneof(
    { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
    { weight: 2, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant(CHECK) },
  ),
  expect: expectArbitrary,
});
const commitArbitrary = fc.uniqueArray(opArbitrary, { maxLength: 4, selector: ({ key }) => key });
type GeneratedOp = { key: string; value: unknown; expect: string };

async function compareWithModel(store: Store, commits: readonly GeneratedOp[][]): Promise<void> {
  const model = new Map<string, { value: JsonValue; revision: number }>();
  const followed = new Map<string, { value: JsonValue; revision: number }>();
  store.watch('', (change) => {
    if (isMark(change.key)) return;
    if (change.kind === 'put') followed.set(change.key, { value: change.value, revision: change.revision });
    else assert.ok(followed.delete(change.key), 'only what was there is reported as deleted');
  });
  let revision = await store.revision();
  for (const generated of commits) {
    const ops = generated.map((op) => toOp(op, model.get(op.key)?.revision));
    const conflict = ops.find(
      (op) => op.expect !== undefined && op.expect !== (model.get(keyOf(op))?.revision ?? 'absent'),
    );
    const changed = ops.filter((op) => 'put' in op || ('delete' in op && model.has(op.delete)));
    const result = await store.commit(ops);
    if (conflict !== undefined) {
      const key = keyOf(conflict);
      assert.deepEqual(result, { ok: false, conflict: key, actual: model.get(key)?.revision ?? 'absent' });
    } else {
      if (changed.length > 0) revision += 1;
      assert.deepEqual(result, { ok: true, revision });
      for (const op of changed) {
        if ('put' in op) model.set(op.put, { value: JSON.parse(JSON.stringify(op.value)) as JsonValue, revision });
        else model.delete(keyOf(op));
      }
    }
  }
  await delivered(store);
  const sorted = [...model].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(
    await store.list(''),
    sorted.map(([key, entry]) => ({ key, ...entry })),
  );
  for (const prefix of ['a', 'a%', 'é']) {
    assert.deepEqual(
      (await store.list(prefix)).map(({ key }) => key),
      sorted.map(([key]) => key).filter((key) => key.startsWith(prefix)),
    );
  }
  assert.deepEqual(followed, model, 'whoever follows the watch arrives at the same state');
}

const keyOf = (op: Op): string => ('put' in op ? op.put : 'delete' in op ? op.delete : op.check);

function toOp({ key, value, expect }: GeneratedOp, actual: number | undefined): Op {
  const stale = (actual ?? 0) + 1;
  if (value === CHECK) return { check: key, expect: expect === 'right' ? (actual ?? 'absent') : 'absent' };
  if (value === undefined) {
    const expected = expect === 'right' ? actual : expect === 'none' ? undefined : stale;
    return expected === undefined ? { delete: key } : { delete: key, expect: expected };
  }
  const put = { put: key, value: value as JsonValue };
  if (expect === 'none') return put;
  return { ...put, expect: expect === 'right' ? (actual ?? 'absent') : expect === 'absent' ? 'absent' : stale };
}
