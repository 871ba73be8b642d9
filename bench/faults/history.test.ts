import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Blow, judge, kindOf, UNKNOWN, type Write } from './history.ts';

const BLOW: Blow = { shards: [1], at: 1_000, deadAt: 1_002 };
const NOTHING = { lost: [], carriedOut: [] };
const write = (shard: number, sentAt: number, answeredAt: number | null, outcome = 'ok'): Write => ({
  ...{ shard, sentAt, answeredAt, outcome },
});

describe('the history of a fault', () => {
  it('waits until the first OK for the hit shard, not for another, and not from what was dying', () => {
    const writes = [
      write(1, 990, 991),
      write(0, 1_010, 1_011),
      write(1, 1_001, 1_001.5), // sent when it may still have lived
      write(1, 1_003, 1_050, UNKNOWN), // errors are waiting
      write(1, 1_060, 1_080),
      write(1, 1_005, 1_070), // sent before the other, answered earlier
    ];
    assert.equal(judge(writes, BLOW, NOTHING).waitMs, 70);
    assert.equal(judge(writes.slice(0, 4), BLOW, NOTHING).waitMs, null);
    assert.equal(judge(writes, { ...BLOW, shards: [0, 1] }, NOTHING).waitMs, 70, 'of two shards, the later');
  });

  it('counts errors by kind, and apart from them those that were not in flight to what was hit', () => {
    const writes = [
      write(1, 999, 1_004, UNKNOWN),
      write(1, 1_003.9, 1_004.1, UNKNOWN), // sent before the end of the connection was seen
      write(1, 1_020, 1_030, UNKNOWN), // sent after it
      write(0, 999, 1_004, UNKNOWN), // another shard
      write(1, 999, 1_004, 'CLUSTERDOWN'), // in flight, and yet not told that nobody knows
      write(1, 1_040, 1_041),
    ];
    const { errors, strayErrors, acknowledged } = judge(writes, BLOW, NOTHING);
    assert.deepEqual(errors, { [UNKNOWN]: 4, CLUSTERDOWN: 1 });
    assert.deepEqual(strayErrors, { [UNKNOWN]: 2, CLUSTERDOWN: 1 });
    const also = judge(writes, { ...BLOW, also: [0] }, NOTHING);
    assert.deepEqual(also.strayErrors, { [UNKNOWN]: 1, CLUSTERDOWN: 1 });
    assert.equal(acknowledged, 1);
  });

  it('what was never answered is in flight as long as nothing else says when the connection ended', () => {
    const writes = [write(1, 1_500, null, 'no answer'), write(0, 1_500, null, 'no answer')];
    assert.deepEqual(judge(writes, BLOW, NOTHING).strayErrors, { 'no answer': 1 });
    const told = [...writes, write(1, 999, 1_100, UNKNOWN)];
    assert.deepEqual(judge(told, BLOW, NOTHING).strayErrors, { 'no answer': 2 });
  });

  it('says how many acknowledged writes are lost, and until when they were acknowledged', () => {
    const writes = [write(1, 1_100, 1_101), write(1, 1_900, 1_905), write(1, 2_000, 2_001, 'CLUSTERDOWN')];
    writes.push(write(1, 2_000, 2_001, 'not connected'), write(1, 2_000, 2_001, UNKNOWN));
    const found = judge(writes, BLOW, { lost: [0, 1], carriedOut: [2, 3, 4] });
    assert.deepEqual([found.lost, found.lostFromMs, found.lostUntilMs, found.deniedButDone], [2, 101, 905, 1]);
    assert.equal(judge(writes, BLOW, NOTHING).lostUntilMs, null);
  });

  it('names errors by their first word, or by what they mean', () => {
    assert.equal(kindOf('UNKNOWNOUTCOME the server was lost'), UNKNOWN);
    assert.equal(kindOf('MOVED 1 10.0.0.1:7000'), 'MOVED');
    assert.equal(kindOf('read ECONNRESET'), 'read ECONNRESET');
    assert.equal(kindOf('ECONNRESET'), 'connection lost');
    assert.equal(kindOf('Connection is closed.'), 'connection lost');
    assert.equal(kindOf('Reached the max retries per request limit (which is 0). Refer'), 'not connected');
    assert.equal(kindOf('Failed to refresh slots cache.'), 'Failed to refresh slots cache');
  });
});
