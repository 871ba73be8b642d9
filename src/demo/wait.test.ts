import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pause, until, within } from './wait.ts';

const never = new Promise<never>(() => {});
const signal = new AbortController().signal;
const interrupted = new Error('interrupted');

it('passes results and failures on', async () => {
  assert.equal(await within(Promise.resolve(1), { what: 'one', timeoutMs: 1000, signal }), 1);
  await assert.rejects(
    within(Promise.reject(new Error('no')), { what: 'one', timeoutMs: 1000, signal }),
    /^Error: no$/,
  );
});

it('names what it waited for in vain', async () => {
  const late = { code: 'demo_late', message: /waited for godot, but not even 0\.01 s were enough: / };
  await assert.rejects(within(never, { what: 'godot', timeoutMs: 10, signal }), { ...late, message: /still busy/ });
  const poll = async (): Promise<number> => 1;
  await assert.rejects(
    until(poll, (seen) => `only ${seen} of 2`, { what: 'godot', timeoutMs: 10, signal }),
    { ...late, message: `${'The demo waited for godot, but not even 0.01 s were enough: only 1 of 2.'}` },
  );
});

it('asks until nothing is missing', async () => {
  let asked = 0;
  const seen = await until(
    async () => ++asked,
    (count) => (count < 3 ? 'more' : null),
    { what: 'three', timeoutMs: 5000, signal },
  );
  assert.equal(seen, 3);
});

it('ends with the reason of the signal', async () => {
  const aborted = AbortSignal.abort(interrupted);
  const later = new AbortController();
  const deadline = { what: 'godot', timeoutMs: 5000 };
  const pending = [within(never, { ...deadline, signal: later.signal }), pause(5000, later.signal)];
  later.abort(interrupted);
  const poll = async (): Promise<number> => 1;
  for (const wait of [
    ...pending,
    within(never, { ...deadline, signal: aborted }),
    until(poll, () => 'all', { ...deadline, signal: aborted }),
    pause(5000, aborted),
  ]) {
    await assert.rejects(wait, interrupted);
  }
});
