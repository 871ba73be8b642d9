import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLAIM_MS, SILENCE_MS } from './times.ts';
import { Votes } from './vote.ts';

const CLAIM = { by: 'b', machine: 'm', database: 'd' };

describe('votes', () => {
  it('agree to a claim when the lease has run out and the machine cannot be reached', () => {
    const votes = new Votes(0);
    votes.grant('m', 5_000);
    const early = votes.claim(CLAIM, false, 5_000 + SILENCE_MS - 1);
    assert.deepEqual(early, { agreed: false, reason: 'the lease of m has not run out' });
    assert.equal(votes.claim(CLAIM, true, 5_000 + SILENCE_MS).agreed, false);
    assert.deepEqual(votes.claim(CLAIM, false, 5_000 + SILENCE_MS), { agreed: true });
  });

  it('agree to none before what may have been granted before the start has run out', () => {
    const votes = new Votes(1_000);
    assert.equal(votes.claim(CLAIM, false, 1_000 + SILENCE_MS - 1).agreed, false);
    assert.equal(votes.claim(CLAIM, false, 1_000 + SILENCE_MS).agreed, true);
  });

  it('grant no lease while a claim is open, and tell of it afterwards', () => {
    const votes = new Votes(-SILENCE_MS);
    assert.ok(votes.claim(CLAIM, false, 0).agreed);
    assert.deepEqual(votes.grant('m', CLAIM_MS - 1), { denied: 'b takes over from it' });
    assert.deepEqual(votes.grant('m', CLAIM_MS), { granted: ['d'] });
    assert.deepEqual(votes.grant('other', 0), { granted: [] });
  });

  it('let one at a time take over in a database, the same one again', () => {
    const votes = new Votes(-SILENCE_MS);
    assert.ok(votes.claim(CLAIM, false, 0).agreed);
    assert.ok(votes.claim(CLAIM, false, 10).agreed);
    assert.ok(votes.claim({ ...CLAIM, machine: 'n' }, false, 10).agreed, 'of another machine, too');
    assert.deepEqual(votes.claim({ ...CLAIM, by: 'c' }, false, 10), { agreed: false, reason: 'b takes over already' });
    votes.release(CLAIM, 20);
    votes.release({ ...CLAIM, machine: 'n' }, 20);
    assert.ok(votes.claim({ ...CLAIM, by: 'c' }, false, 20).agreed);
  });
});
