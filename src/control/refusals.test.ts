import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NewEvent } from '../domain/event.ts';
import { systemClock } from '../platform/clock.ts';
import { Refusals } from './refusals.ts';

function refusals() {
  const told: string[] = [];
  const time = { now: 1_000_000_000_000 };
  const one = new Refusals({ ...systemClock, now: () => time.now }, ({ message }) => told.push(message));
  const note = (key: string): void => {
    const event: NewEvent = { kind: 'join_refused', severity: 'warning', message: key };
    one.note(key, event);
  };
  return { told, time, note, forget: (prefix: string) => one.forget(prefix) };
}

describe('a refusal', () => {
  it('is told once, again when it is well in between, and again after ten minutes', () => {
    const { told, time, note, forget } = refusals();
    for (let visit = 0; visit < 5; visit += 1) note('alpha clock_off');
    note('alpha address_taken');
    assert.deepEqual(told, ['alpha clock_off', 'alpha address_taken']);
    forget('beta ');
    note('alpha clock_off');
    assert.equal(told.length, 2);
    forget('alpha ');
    note('alpha clock_off');
    assert.equal(told.length, 3);
    time.now += 600_000;
    note('alpha clock_off');
    assert.equal(told.length, 4);
  });

  it('of many that come at once, only some a minute: the history is not theirs', () => {
    const { told, time, note } = refusals();
    for (let stranger = 0; stranger < 500; stranger += 1) note(`10.0.0.${stranger} join_token_unknown`);
    assert.equal(told.length, 20);
    time.now += 60_000;
    note('alpha join_token_expired');
    assert.equal(told.length, 21);
  });
});
