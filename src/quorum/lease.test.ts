import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VoterList } from '../domain/roster.ts';
import { Lease } from './lease.ts';
import { LEASE_MS } from './times.ts';

const listOf = (...machines: string[]): VoterList => ({
  version: machines.length,
  voters: machines.map((machine) => ({ machine, address: '127.0.0.1', port: 1, leased: true })),
});

describe('a lease', () => {
  it('is not needed with fewer than three voters, nor by who does not vote', () => {
    const lease = new Lease('a');
    assert.equal(lease.state(0), 'unneeded');
    lease.setVoters(listOf('a', 'b'));
    assert.equal(lease.state(0), 'unneeded');
    lease.setVoters(listOf('b', 'c', 'd'));
    assert.equal(lease.state(0), 'unneeded');
  });

  it('is valid from the question on, by a majority with itself', () => {
    const lease = new Lease('a');
    lease.setVoters(listOf('a', 'b', 'c'));
    assert.equal(lease.state(0), 'run_out');
    lease.granted('b', 100);
    assert.equal(lease.state(100 + LEASE_MS - 1), 'valid');
    assert.equal(lease.state(100 + LEASE_MS), 'run_out');
  });

  it('counts the youngest grants that make a majority', () => {
    const lease = new Lease('a');
    lease.setVoters(listOf('a', 'b', 'c', 'd', 'e'));
    lease.granted('b', 500);
    assert.equal(lease.state(500), 'run_out');
    lease.granted('c', 100);
    lease.granted('d', 300);
    assert.equal(lease.validUntil(), 300 + LEASE_MS);
    lease.granted('b', 400); // an answer that came late
    assert.equal(lease.validUntil(), 300 + LEASE_MS);
  });

  it('takes no older list, and counts nobody who is not on it', () => {
    const lease = new Lease('a');
    lease.setVoters({ ...listOf('a', 'b', 'c'), version: 7 });
    lease.setVoters({ ...listOf('a', 'x', 'y'), version: 6 });
    lease.granted('x', 100);
    assert.equal(lease.state(100), 'run_out');
  });
});
