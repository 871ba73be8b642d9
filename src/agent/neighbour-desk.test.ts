import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import type { Voter } from '../domain/roster.ts';
import { systemClock } from '../platform/clock.ts';
import type { Question } from '../protocol/neighbour-messages.ts';
import { SILENCE_MS } from '../quorum/times.ts';
import { NeighbourDesk } from './neighbour-desk.ts';
import { Roster } from './roster.ts';

const voter = (machine: string, leased = true): Voter => ({ machine, address: '127.0.0.1', port: 7450, leased });
const CLAIM: Question = { ask: 'claim', by: 'b', machine: 'c', database: 'u', nodes: [] };

async function scene(t: TestContext, ...voters: Voter[]) {
  const roster = await Roster.open(tempDir(t));
  await roster.setVoters({ version: 1, voters });
  let now = 0;
  const clock = { ...systemClock, now: () => now };
  const desk = new NeighbourDesk({
    roster,
    clock,
    isAnyReached: async () => false,
    moved: () => {},
    waited: async () => 0,
  });
  now = SILENCE_MS;
  return desk;
}

describe('the desk for neighbours', () => {
  it('agrees to a claim on a machine that has confirmed that it stops without a lease', async (t) => {
    const desk = await scene(t, voter('a'), voter('b'), voter('c'));
    assert.deepEqual(await desk.answer(CLAIM, 'b'), { kind: 'agreed' });
  });

  for (const [what, voters] of Object.entries({
    'has not confirmed that': [voter('a'), voter('b'), voter('c', false)],
    'does not vote': [voter('a'), voter('b'), voter('d')],
    'has too few beside it': [voter('b'), voter('c')],
  })) {
    it(`agrees to none on one that ${what}`, async (t) => {
      const desk = await scene(t, ...voters);
      const reason = 'c has not confirmed that it stops without a lease';
      assert.deepEqual(await desk.answer(CLAIM, 'b'), { kind: 'denied', reason });
    });
  }

  it('lets nobody speak in the name of another', async (t) => {
    const desk = await scene(t, voter('a'), voter('b'), voter('c'));
    for (const question of [CLAIM, { ...CLAIM, ask: 'release' }, { ask: 'lease', machine: 'b' }] as Question[]) {
      assert.equal((await desk.answer(question, 'd')).kind, 'denied');
    }
  });
});
