/** Who of a machine forks next. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ForkFacts, nextFork, RETRY_MS } from './forks.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

const node = (id: string, more: Partial<ForkFacts> = {}): ForkFacts => ({
  ...{ node: id, keepsSnapshots: false, keepsLog: false, forks: false, changes: 0, savedSecondsAgo: 0 },
  ...{ saveFailed: false, rewriteFailed: false, logBytes: 0, logBaseBytes: 0, usedBytes: 100 * MIB },
  ...more,
});
const saving = (id: string, changes: number, savedSecondsAgo: number, more: Partial<ForkFacts> = {}): ForkFacts =>
  node(id, { keepsSnapshots: true, changes, savedSecondsAgo, ...more });
const logging = (id: string, logBytes: number, logBaseBytes: number): ForkFacts =>
  node(id, { keepsLog: true, logBytes, logBaseBytes });

const next = (nodes: ForkFacts[], availableBytes = 10 * GIB, tried = new Map<string, number>()) =>
  nextFork(nodes, availableBytes, tried, 1_000_000);

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
      assert.equal(next([saving('a', changes, seconds)]).fork !== null, isDue, `${changes} writes, ${seconds} s`);
    }
  });

  it('is a log that has doubled and is worth it', () => {
    assert.equal(next([logging('a', 63 * MIB, 1)]).fork, null);
    assert.deepEqual(next([logging('a', 64 * MIB, 1)]).fork, { node: 'a', kind: 'rewrite' });
    assert.equal(next([logging('a', 199 * MIB, 100 * MIB)]).fork, null);
    assert.deepEqual(next([logging('a', 200 * MIB, 100 * MIB)]).fork, { node: 'a', kind: 'rewrite' });
  });

  it('is not what is not wanted', () => {
    assert.equal(next([node('a', { changes: 1e9, savedSecondsAgo: 1e6, logBytes: GIB })]).fork, null);
  });
});

describe('whose turn it is', () => {
  it('is the most overdue one, and nobody while a child is at work', () => {
    const nodes = [saving('a', 1, 4_000), saving('b', 10_000, 600), logging('c', 100 * MIB, 0)];
    assert.deepEqual(next(nodes).fork, { node: 'b', kind: 'snapshot' });
    assert.equal(next([...nodes, node('d', { forks: true })]).fork, null);
  });

  it('is the next one for whom memory is free; the others are told', () => {
    const large = saving('large', 10_000, 600, { usedBytes: 8 * GIB });
    const { fork, postponed } = next([large, saving('small', 1, 4_000)], GIB);
    assert.deepEqual(fork, { node: 'small', kind: 'snapshot' });
    assert.deepEqual(postponed, [{ node: 'large', kind: 'snapshot', neededBytes: 2 * GIB }]);
  });

  it('is not of one that failed a moment ago', () => {
    const failed = saving('a', 10_000, 600, { saveFailed: true });
    assert.equal(next([failed], 10 * GIB, new Map([['a', 1_000_000 - RETRY_MS + 1]])).fork, null);
    assert.notEqual(next([failed], 10 * GIB, new Map([['a', 1_000_000 - RETRY_MS]])).fork, null);
    assert.notEqual(next([{ ...failed, saveFailed: false }], 10 * GIB, new Map([['a', 999_999]])).fork, null);
  });

  it('never is of two, nor of more than is free', () => {
    const facts = fc.record({
      node: fc.constantFrom('a', 'b', 'c', 'd'),
      keepsSnapshots: fc.boolean(),
      keepsLog: fc.boolean(),
      forks: fc.boolean(),
      changes: fc.nat(20_000),
      savedSecondsAgo: fc.nat(8_000),
      saveFailed: fc.boolean(),
      rewriteFailed: fc.boolean(),
      logBytes: fc.nat(300 * MIB),
      logBaseBytes: fc.nat(200 * MIB),
      usedBytes: fc.nat(2 * GIB - 1),
    });
    fc.assert(
      fc.property(fc.uniqueArray(facts, { selector: (one) => one.node }), fc.nat(GIB), (nodes, available) => {
        const { fork } = nextFork(nodes, available, new Map(), 0);
        if (!fork) return;
        assert.ok(nodes.every(({ forks }) => !forks));
        const chosen = nodes.find((one) => one.node === fork.node)!;
        assert.ok(chosen.usedBytes * 0.25 <= available);
        assert.ok(fork.kind === 'snapshot' ? chosen.keepsSnapshots : chosen.keepsLog);
      }),
    );
  });
});
