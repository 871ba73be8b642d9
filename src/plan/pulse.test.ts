import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  answered,
  asked,
  begunAnew,
  ended,
  type IfEnded,
  isToBeEnded,
  looked,
  newPulse,
  PULSE_TIMES,
  type Pulse,
  withTold,
} from './pulse.ts';

/** What a process does at a moment: it answers, or this is what the kernel says of it. */
type Behaviour = 'answers' | 'BUSY' | 'LOADING' | 'T' | 'D' | 'works' | 'starved' | 'idle' | 'turns';

const SAYS = { answers: 'well', BUSY: 'busy', LOADING: 'loading' } as const;

/** Asks and looks as the agent does, until `untilMs`; what is told, and when it would be ended. */
function watch(behaviourAt: (now: number) => Behaviour, untilMs: number, ifEnded: IfEnded = 'replaced') {
  let pulse = newPulse(0);
  let cpuMs = 0;
  let sleeps = 0;
  const told: string[] = [];
  const ends: number[] = [];
  for (let now = 0; now <= untilMs; now += PULSE_TIMES.lookMs) {
    const does = behaviourAt(now);
    if (does === 'works') cpuMs += PULSE_TIMES.lookMs;
    if (does === 'turns') sleeps += 3;
    if (now % PULSE_TIMES.askMs === 0) pulse = asked(pulse, now);
    if (does in SAYS) pulse = answered(pulse, SAYS[does as keyof typeof SAYS], now);
    else if (pulse.unansweredSince !== null && now > pulse.unansweredSince) {
      const state = { works: 'R', starved: 'R', idle: 'S', turns: 'S' }[does as string] ?? does;
      pulse = looked(pulse, { state, cpuMs, sleeps }, now);
    }
    const next = withTold(pulse, now);
    if (next.told.state !== pulse.told.state) told.push(`${next.told.state} ${now}`);
    pulse = next;
    if (isToBeEnded(pulse, ifEnded, now)) {
      ends.push(now);
      pulse = ended(pulse, now);
    }
  }
  return { told, ends, pulse };
}

/** From 1,000 on it does this, until `to`. */
const from1000 =
  (does: Behaviour, to = Infinity) =>
  (now: number) =>
    now >= 1_000 && now < to ? does : 'answers';

describe('pulse', () => {
  const CASES: [Behaviour, told: string[], ended: number[], ofReplica: number[]][] = [
    ['answers', [], [], []],
    ['T', ['stopped 3000'], [3_000], [31_000]],
    ['idle', ['hung 4250'], [4_250], [31_250]],
    ['D', ['disk 4000'], [16_000], [61_000]],
    ['works', ['busy 6000'], [], []],
    ['starved', ['busy 6000'], [], []],
    ['BUSY', ['busy 6000'], [], []],
    ['turns', ['silent 6250'], [], []],
    ['LOADING', ['loading 4000'], [], []],
  ];
  for (const [does, told, ends, ofReplica] of CASES) {
    it(`one that ${does} from 1 s on`, () => {
      const untilMs = 61_750;
      assert.deepEqual(watch(from1000(does), untilMs).told, told);
      assert.deepEqual(watch(from1000(does), 61_000).ends.slice(0, 1), ends);
      assert.deepEqual(watch(from1000(does), untilMs, 'spared').ends.slice(0, 1), ofReplica);
      assert.deepEqual(watch(from1000(does), untilMs, 'missed').ends, []);
    });
  }

  it('takes no notice of one that is stopped for a second', () => {
    const { told, ends } = watch(from1000('T', 2_250), 20_000);
    assert.deepEqual({ told, ends }, { told: [], ends: [] });
  });

  it('tells that it is well when it has been so for a while, once', () => {
    assert.deepEqual(watch(from1000('T', 5_000), 20_000, 'missed').told, ['stopped 3000', 'well 7000']);
  });

  it('tells nothing of signs of life that come too seldom to be well', () => {
    const now = (at: number): Behaviour => (at < 1_000 || at % 5_000 === 0 ? 'answers' : 'D');
    assert.deepEqual(watch(now, 40_000).told, ['disk 4000']);
  });

  it('takes one that hangs now and then for a moment for busy: hung is one that never moves', () => {
    const moves = (at: number): Behaviour => (at < 1_000 ? 'answers' : at % 2_000 < 250 ? 'works' : 'idle');
    assert.deepEqual(watch(moves, 60_000).ends, []);
  });

  it('does not end again at once what it has ended, unless it was well for long in between', () => {
    assert.deepEqual(watch(from1000('T'), 70_000).ends, [3_000, 63_000]);
    const wellFor = (ms: number) => (at: number) => (at >= 5_000 && at < 5_000 + ms ? 'answers' : 'T');
    assert.deepEqual(watch(wellFor(9_000), 50_000).ends, [2_000]);
    assert.deepEqual(watch(wellFor(11_000), 50_000).ends, [2_000, 18_000]);
  });

  it('ends for one reason what it has ended for another', () => {
    const at = (now: number): Behaviour => (now < 5_000 ? 'T' : 'idle');
    assert.deepEqual(watch(at, 20_000).ends, [2_000, 7_750]);
  });

  it('is inherited by the next process only as far as it was ended', () => {
    const { pulse } = watch(from1000('T'), 3_000);
    assert.deepEqual(newPulse(9_000, pulse.ended), { ...newPulse(9_000), ended: { state: 'stopped', at: 3_000 } });
  });

  it('begins anew when we were held up ourselves', () => {
    const { pulse } = watch(from1000('T'), 2_500);
    const anew = begunAnew(pulse, 12_500);
    assert.equal(isToBeEnded(anew, 'replaced', 12_500), false);
    const seen = (now: number): Pulse => looked(anew, { state: 'T', cpuMs: 0, sleeps: 0 }, now);
    assert.equal(isToBeEnded(seen(12_750), 'replaced', 14_250), false);
    assert.equal(isToBeEnded(seen(12_750), 'replaced', 14_500), true);
    assert.deepEqual(answered(anew, 'well', 12_501).state, 'well');
  });

  it('is not looked at while all is answered', () => {
    const pulse = newPulse(0);
    assert.equal(looked(pulse, { state: 'T', cpuMs: 0, sleeps: 0 }, 1_000), pulse);
  });
});
