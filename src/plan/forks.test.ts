/** Who of a machine forks next. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ForkFacts, isMovingSlots, isPostponed, neededForJob, nextFork, noForkRoom, type Try } from './forks.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const NOW = 1_000_000;

const node = (id: string, more: Partial<ForkFacts> = {}): ForkFacts => ({
  ...{ node: id, keepsSnapshots: false, keepsLog: false, isAsked: false, isLogLong: false, forks: false },
  ...{ changes: 0, savedSecondsAgo: 0, saveFailed: false, rewriteFailed: false },
  ...{
    slotsMove: false,
    logBytes: 0,
    logBaseBytes: 0,
    usedBytes: 100 * MIB,
    saveCopiedBytes: 0,
    rewriteCopiedBytes: 0,
  },
  ...more,
});
const saving = (id: string, changes: number, savedSecondsAgo: number, more: Partial<ForkFacts> = {}): ForkFacts =>
  node(id, { keepsSnapshots: true, changes, savedSecondsAgo, ...more });
const logging = (id: string, logBytes: number, logBaseBytes: number): ForkFacts =>
  node(id, { keepsLog: true, logBytes, logBaseBytes });

const next = (nodes: ForkFacts[], availableBytes = 10 * GIB, tries: [string, Try][] = []) =>
  nextFork(nodes, availableBytes, new Map(tries), NOW);

const dueNode = (...args: Parameters<typeof next>): string | null => next(...args).fork?.node ?? null;

describe('what is due', () => {
  it('is a snapshot by writes and time', () => {
    const cases: [changes: number, seconds: number, isDue: boolean][] = [
      [0, 100_000, false],
      [1, 3_599, false],
      [1, 3_600, true],
      [99, 300, false],
      [100, 300, true],
      [9_999, 60, false],
      [10_000, 60, true],
    ];
    for (const [changes, seconds, isDue] of cases) {
      assert.equal(dueNode([saving('a', changes, seconds)]) !== null, isDue, `${changes} writes, ${seconds} s`);
    }
  });

  it('is a log that has doubled and is worth it', () => {
    assert.equal(dueNode([logging('a', 63 * MIB, 1)]), null);
    assert.deepEqual(next([logging('a', 64 * MIB, 1)]).fork, { node: 'a', kind: 'rewrite', count: 1 });
    assert.equal(dueNode([logging('a', 199 * MIB, 100 * MIB)]), null);
    assert.equal(dueNode([logging('a', 200 * MIB, 100 * MIB)]), 'a');
    assert.equal(dueNode([{ ...logging('a', 1, 1), isLogLong: true }]), 'a', 'or is archived in too many pieces');
    assert.equal(dueNode([{ ...logging('a', 1, 1), isLogLong: true, keepsLog: false }]), null);
  });

  it('is the first snapshot of one that is to begin with them, before all others', () => {
    const begins = node('b', { isAsked: true, keepsLog: true, logBytes: GIB });
    assert.deepEqual(next([saving('a', 1e6, 1e6), begins]).fork, { node: 'b', kind: 'snapshot', count: 1 });
  });

  it('is not what is not wanted', () => {
    assert.equal(dueNode([node('a', { changes: 1e9, savedSecondsAgo: 1e6, logBytes: GIB })]), null);
  });
});

describe('whose turn it is', () => {
  it('is the most overdue one, and nobody while a child is at work', () => {
    const nodes = [saving('a', 1, 4_000), saving('b', 10_000, 600), logging('c', 100 * MIB, 0)];
    assert.equal(dueNode(nodes), 'b');
    const { fork, waiting } = next([...nodes, node('d', { forks: true })]);
    assert.equal(fork, null);
    assert.deepEqual(
      waiting.map(({ node: id, kind, reason }) => [id, kind, reason]),
      [
        ['b', 'snapshot', 'turn'],
        ['c', 'rewrite', 'turn'],
        ['a', 'snapshot', 'turn'],
      ],
    );
  });

  it('is the next one for whom memory is free', () => {
    const large = saving('large', 10_000, 600, { usedBytes: 8 * GIB });
    const { fork, waiting } = next([large, saving('small', 1, 4_000)], GIB);
    assert.equal(fork?.node, 'small');
    assert.deepEqual(waiting, [{ node: 'large', kind: 'snapshot', reason: 'memory', neededBytes: 2 * GIB }]);
  });

  it('takes a quarter of the data, more if the last one did, and never more than the data', () => {
    const neededFor = (saveCopiedBytes: number): number =>
      next([saving('a', 1, 4_000, { usedBytes: GIB, saveCopiedBytes })], 0).waiting[0]!.neededBytes;
    assert.equal(neededFor(0), GIB / 4);
    assert.equal(neededFor(GIB / 8), GIB / 4);
    assert.equal(neededFor(GIB / 2), (GIB * 3) / 4);
    assert.equal(neededFor(GIB), GIB);
  });

  it('is not of one that failed a moment ago; each further failure waits longer, to a limit', () => {
    const failed = saving('a', 10_000, 600, { saveFailed: true });
    const waits: [count: number, ms: number][] = [
      [1, 5_000],
      [2, 10_000],
      [3, 20_000],
      [4, 30_000],
      [50, 30_000],
    ];
    for (const [count, ms] of waits) {
      const tried = (agoMs: number): [string, Try] => ['a', { at: NOW - agoMs, count, isRefused: false }];
      assert.equal(dueNode([failed], GIB, [tried(ms - 1)]), null);
      assert.equal(next([failed], GIB, [tried(ms)]).fork?.count, count + 1);
      assert.equal(next([{ ...failed, saveFailed: false }], GIB, [tried(1)]).fork?.count, 1);
    }
    const refused = next([{ ...failed, saveFailed: false }], GIB, [['a', { at: NOW - 1, count: 1, isRefused: true }]]);
    assert.deepEqual(refused, { fork: null, waiting: [] });
  });

  it('is told of when memory lacks, at once, and when others take long', () => {
    const wait = { node: 'a', kind: 'snapshot', neededBytes: 1 } as const;
    assert.equal(isPostponed({ ...wait, reason: 'memory' }, 0), true);
    assert.equal(isPostponed({ ...wait, reason: 'turn' }, 599_999), false);
    assert.equal(isPostponed({ ...wait, reason: 'turn' }, 600_000), true);
  });

  it('never is of two, nor of more than is free', () => {
    const facts = fc.record({
      node: fc.constantFrom('a', 'b', 'c', 'd'),
      keepsSnapshots: fc.boolean(),
      keepsLog: fc.boolean(),
      isAsked: fc.boolean(),
      isLogLong: fc.boolean(),
      forks: fc.boolean(),
      changes: fc.nat(20_000),
      savedSecondsAgo: fc.nat(8_000),
      saveFailed: fc.boolean(),
      rewriteFailed: fc.boolean(),
      logBytes: fc.nat(300 * MIB),
      logBaseBytes: fc.nat(200 * MIB),
      slotsMove: fc.boolean(),
      usedBytes: fc.nat(2 * GIB - 1),
      saveCopiedBytes: fc.nat(2 * GIB - 1),
      rewriteCopiedBytes: fc.nat(2 * GIB - 1),
    });
    fc.assert(
      fc.property(fc.uniqueArray(facts, { selector: (one) => one.node }), fc.nat(GIB), (nodes, available) => {
        const { fork, waiting } = next(nodes, available);
        assert.ok(waiting.every(({ reason, neededBytes }) => reason === 'turn' || neededBytes > available));
        if (!fork) return;
        assert.ok(nodes.every(({ forks }) => !forks));
        assert.ok(waiting.every((one) => one.node !== fork.node));
        const chosen = nodes.find((one) => one.node === fork.node)!;
        assert.ok(chosen.usedBytes * 0.25 <= available);
        assert.ok(fork.kind === 'snapshot' ? chosen.isAsked || chosen.keepsSnapshots : chosen.keepsLog);
      }),
    );
  });
});

it('has a log wait for slots on their way, ten minutes and no longer; a snapshot does not', () => {
  const due = { ...logging('a', 1_000 * MIB, 100 * MIB), slotsMove: true };
  assert.equal(nextFork([due], Number.MAX_SAFE_INTEGER, new Map(), 0).fork, null);
  const snapshot = node('b', { keepsSnapshots: true, changes: 10_000, savedSecondsAgo: 61, slotsMove: true });
  assert.equal(nextFork([snapshot], Number.MAX_SAFE_INTEGER, new Map(), 0).fork?.node, 'b');
  const began = { startedAt: 1_000, paused: false };
  assert.deepEqual(
    [null, began, { ...began, paused: true }].map((reshard) => isMovingSlots(reshard, 60_000)),
    [false, true, false],
  );
  assert.equal(isMovingSlots(began, 601_001), false);
});

it('tells why a job of slot migration is not to fork', () => {
  const neededBytes = neededForJob({ usedBytes: 400 * MIB });
  assert.equal(neededBytes, 100 * MIB);
  assert.equal(noForkRoom(null), null);
  assert.equal(noForkRoom({ neededBytes, availableBytes: 100 * MIB }), null);
  assert.match(
    noForkRoom({ neededBytes, availableBytes: 99 * MIB }) ?? '',
    /may take 100mb of memory, and 99mb are free/,
  );
});
