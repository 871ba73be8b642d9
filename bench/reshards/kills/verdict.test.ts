import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DatabaseStatus } from '../../../src/domain/status.ts';
import { UNKNOWN } from '../../faults/history.ts';
import { NOTHING } from '../judge.ts';
import type { Victim } from './pairs.ts';
import { coverage } from './table.ts';
import { brokenIn, isTargetAtGrant, type Kill, momentsOf } from './verdict.ts';

const JOB = { name: '1', source: 'a', target: 'b', export: 'snapshotting', import: 'receiving-snapshot' };
const STRUCK = { at: 0, pid: 7, what: 'a', job: JOB, failure: null };
const killed = (victim: Victim, more: Partial<Kill> = {}): Kill => ({
  change: {
    ...{
      number: 1,
      from: 3,
      to: 4,
      act: null,
      startedAt: 0,
      endedAt: 1,
      isStuck: false,
      estimate: null,
      seconds: null,
    },
    ...{ status: {} as DatabaseStatus, events: [] },
  },
  ...{ ownPauseMs: 0, sentAgain: 0, failed: [], operations: 0, wrong: null, ballast: NOTHING },
  ...{ longestMs: { endpoint: 0, cluster: 0 }, longest: { endpoint: [], cluster: [] } },
  ...{ found: { endpoint: NOTHING, cluster: NOTHING }, errors: { endpoint: {}, cluster: {} } },
  ...{ durability: 'acknowledged', pair: { victim, moment: 'export:snapshotting' }, struck: STRUCK },
  ...{ overMs: 1, wholeMs: 1 },
  ...more,
});
const lost = (endpoint: number, cluster: number): Kill['found'] => ({
  endpoint: { ...NOTHING, lost: endpoint },
  cluster: { ...NOTHING, lost: cluster },
});
const errors = (endpoint: Record<string, number>, cluster = {}): Pick<Kill, 'errors'> => ({
  errors: { endpoint, cluster },
});

describe('what is broken after a kill', () => {
  it('is nothing when all went well', () => {
    assert.deepEqual(brokenIn(killed('source')), []);
    assert.deepEqual(brokenIn(killed('source', { struck: null })), []);
  });

  it('is what was lost, unless a primary was killed that promised nothing', () => {
    assert.deepEqual(brokenIn(killed('source', { found: lost(1, 2) })), ['1 lost (endpoint)']);
    assert.deepEqual(brokenIn(killed('target', { durability: 'async', found: lost(1, 2) })), []);
    const agent = killed('target-agent', { durability: 'async', found: lost(1, 2) });
    assert.deepEqual(brokenIn(agent), ['1 lost (endpoint)', '2 lost (cluster)']);
    const missed = killed('source', { durability: 'async', struck: null, found: lost(0, 1) });
    assert.deepEqual(brokenIn(missed), ['1 lost (cluster)']);
  });

  it('is an error that the kill does not explain', () => {
    assert.deepEqual(brokenIn(killed('source', errors({ [UNKNOWN]: 3 }))), []);
    assert.deepEqual(brokenIn(killed('source', errors({ MOVED: 3 }))), ['3 errors MOVED (endpoint)']);
    assert.deepEqual(brokenIn(killed('control', errors({ [UNKNOWN]: 3 }))), [`3 errors ${UNKNOWN} (endpoint)`]);
    assert.deepEqual(brokenIn(killed('endpoint', errors({ 'connection lost': 3, 'not connected': 9 }))), []);
    const beside = killed('endpoint', errors({}, { 'connection lost': 3 }));
    assert.deepEqual(brokenIn(beside), ['3 errors connection lost (cluster)']);
    const missed = killed('source', { ...errors({ [UNKNOWN]: 3 }), struck: null });
    assert.deepEqual(brokenIn(missed), [`3 errors ${UNKNOWN} (endpoint)`]);
  });

  it('is what was applied twice, unless ioredis had sent it again', () => {
    const found = { endpoint: NOTHING, cluster: { ...NOTHING, twice: 2 } };
    assert.deepEqual(brokenIn(killed('source', { found })), ['2 applied twice (cluster)']);
    assert.deepEqual(brokenIn(killed('source', { found, sentAgain: 2 })), []);
    const { cluster: endpoint, endpoint: cluster } = found;
    const through = killed('source', { found: { endpoint, cluster }, sentAgain: 2 });
    assert.deepEqual(brokenIn(through), ['2 applied twice (endpoint)']);
  });

  it('is a reshard that was stuck, what was not whole, and what was there before', () => {
    const { change } = killed('source');
    const broken = killed('source', {
      ...{ change: { ...change, isStuck: true }, wrong: 'shard-4 has no slots', ballast: { ...NOTHING, lost: 5 } },
    });
    assert.deepEqual(brokenIn(broken), [
      ...['stuck', 'shard-4 has no slots', 'of what was there before 5 are missing, 0 differ'],
    ]);
  });
});

it('tells the state at both sides, or the step', () => {
  assert.deepEqual(momentsOf(killed('source')), ['export:snapshotting', 'import:receiving-snapshot']);
  const early = killed('source', { struck: { ...STRUCK, job: { ...JOB, import: null } } });
  assert.deepEqual(momentsOf(early), ['export:snapshotting']);
  assert.deepEqual(momentsOf(killed('source', { pair: { victim: 'source', moment: 'step:made' } })), ['step:made']);
  assert.deepEqual(momentsOf(killed('source', { struck: { ...STRUCK, pid: null } })), []);
  assert.ok(!isTargetAtGrant(killed('target')));
  const granted = { ...STRUCK, job: { ...JOB, export: 'failover-granted' } };
  assert.ok(isTargetAtGrant(killed('target', { struck: granted })));
  assert.ok(!isTargetAtGrant(killed('source', { struck: granted })));
});

it('counts kills by the state that was seen, beside the tries, with states nobody asked for', () => {
  const failed = killed('target', { struck: { ...STRUCK, job: { ...JOB, export: 'failed', import: null } } });
  const { rows, head } = coverage('', [killed('source'), killed('source', { struck: null }), failed]);
  const cell = (moment: string, victim: Victim) => rows.find(([name]) => name === moment)?.[head.indexOf(victim)];
  assert.equal(cell('export:snapshotting', 'source'), '1 (2)');
  assert.equal(cell('import:receiving-snapshot', 'source'), '1 (0)');
  assert.equal(cell('export:snapshotting', 'target'), '0 (1)');
  assert.equal(cell('export:failed', 'target'), '1 (0)');
});
