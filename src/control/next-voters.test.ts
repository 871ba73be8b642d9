import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Voter, VoterList } from '../domain/roster.ts';
import { type Member, nextVoters } from './next-voters.ts';

const at = (port: number) => ({ address: '127.0.0.1', port });
const voter = (machine: string, leased = true): Voter => ({ machine, ...at(7450), leased });
const member = (machine: string, port = 7450): Member => ({ machine, at: at(port) });
const away = (machine: string): Member => ({ machine, at: null });
const list = (version: number, ...voters: Voter[]): VoterList => ({ version, voters });
const all = (names: string): Voter[] => [...names].map((name) => voter(name));
const members = (names: string): Member[] => [...names].map((name) => member(name));
const none = new Set<string>();

/** Lists until nothing changes, each confirmed by these. */
function until(present: VoterList, fleet: readonly Member[], by: ReadonlySet<string>): string[] {
  const seen: string[] = [];
  for (let next = nextVoters(present, fleet, by); next; next = nextVoters(next, fleet, by)) {
    seen.push(
      `${next.version}: ${next.voters.map(({ machine, leased }) => (leased ? machine.toUpperCase() : machine)).join('')}`,
    );
    assert.ok(seen.length < 20, seen.join('\n'));
  }
  return seen;
}

describe('the next list of voters', () => {
  it('has one more at a time; who has a list with enough voters may be taken over from', () => {
    const fleet = members('abcd');
    assert.deepEqual(until(list(0), fleet, new Set('abcd')), ['1: a', '2: ab', '3: abc', '4: abcd', '5: ABCD']);
    assert.deepEqual(until(list(0), fleet, new Set('abd')), ['1: a', '2: ab', '3: abc', '4: abcd', '5: ABcD']);
  });

  it('waits until a majority has the present one', () => {
    const present = list(3, ...all('abc'));
    const fleet = members('abcd');
    for (const confirmed of ['', 'a', 'd', 'ad']) assert.equal(nextVoters(present, fleet, new Set(confirmed)), null);
    assert.deepEqual(nextVoters(present, fleet, new Set('bc')), list(4, ...all('abc'), voter('d', false)));
  });

  it('is the present one when nothing has changed', () => {
    assert.equal(nextVoters(list(3, ...all('abc')), members('abc'), new Set('abc')), null);
    assert.equal(nextVoters(list(0), [], none), null);
  });

  it('has who is away, where they were, and nobody new that was never heard of', () => {
    const fleet = [member('a'), away('b'), member('c'), away('d')];
    assert.equal(nextVoters(list(3, ...all('abc')), fleet, new Set('ac')), null);
  });

  it('tells of one that has moved', () => {
    const fleet = [member('a'), member('b', 8000), member('c', 9000)];
    const next = nextVoters(list(3, ...all('abc')), fleet, new Set('abc'));
    assert.deepEqual(next, list(4, voter('a'), { ...voter('b'), port: 8000 }, voter('c')));
  });

  it('has not who was removed, one at a time', () => {
    assert.deepEqual(until(list(9, ...all('abcde')), members('abc'), new Set('abc')), ['10: ABCE', '11: ABC']);
    // Three of five are a majority, and one of them has not confirmed.
    assert.equal(nextVoters(list(9, ...all('abcde')), members('abc'), new Set('ab')), null);
  });

  it('takes in who comes before it lets go who was removed, where there would be too few', () => {
    assert.deepEqual(until(list(9, ...all('abc')), members('abd'), new Set('abd')), ['10: ABCd', '11: ABd', '12: ABD']);
  });

  it('lets nobody take over any more before there are too few for leases', () => {
    assert.deepEqual(until(list(9, ...all('abc')), members('ab'), new Set('ab')), ['10: abc', '11: ab']);
    const unleased = list(10, ...[...'abc'].map((name) => voter(name, false)));
    assert.equal(nextVoters(unleased, members('ab'), new Set('a')), null);
  });

  it('waits not for ever for those that were removed', () => {
    assert.deepEqual(until(list(9, ...all('abc')), members('a'), new Set('a')), ['10: abc', '11: ac', '12: a']);
    assert.equal(nextVoters(list(9, ...all('abc')), members('a'), none), null);
    assert.deepEqual(until(list(1, voter('a')), members('b'), none), ['2: Ab', '3: b']);
  });
});
