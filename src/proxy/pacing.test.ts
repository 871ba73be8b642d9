/** Turns of writers to slots on their way: their order, their rate, and the end of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Pacing } from './pacing.ts';

const LONG_MS = 60_000;

/** Paced to so much, with what it told of its beginnings and ends. */
function paced(bytesPerSecond: number, holdMs = LONG_MS) {
  const changes: boolean[] = [];
  const pacing: Pacing = new Pacing(() => changes.push(pacing.isOn));
  pacing.begin([[10, 19]], bytesPerSecond, holdMs);
  return { pacing, changes };
}

describe('the turns of writers to slots on their way', () => {
  it('are for the slots that were named last', () => {
    const { pacing, changes } = paced(1_000);
    assert.deepEqual(
      [9, 10, 19, 20, -1].map((slot) => pacing.isPaced(slot)),
      [false, true, true, false, false],
    );
    pacing.begin(
      [
        [5, 5],
        [30, 40],
      ],
      1_000,
      LONG_MS,
    );
    assert.deepEqual(
      [5, 10, 40].map((slot) => pacing.isPaced(slot)),
      [true, false, true],
    );
    pacing.end();
    pacing.end();
    assert.deepEqual(changes, [true, false]);
  });

  it('come in the order of waiting, at the rate; nobody goes before, and who is gone has none', async () => {
    const { pacing } = paced(100_000);
    const gone: number[] = [];
    const since = performance.now();
    assert.equal(pacing.takes(5_000), true);
    assert.equal(pacing.takes(1), false);
    const abandons = [0, 1, 2, 3].map((number) => pacing.wait(5_000, () => gone.push(number)));
    abandons[1]!();
    await pause(60);
    assert.equal(pacing.takes(1), false, 'others wait');
    while (gone.length < 3 && performance.now() - since < 5_000) await pause(5);
    assert.deepEqual(gone, [0, 2, 3]);
    const took = performance.now() - since;
    assert.ok(took >= 145, `15000 bytes before the last took ${took} ms`);
    pacing.end();
  });

  it('lets a writer wait again that has just had its turn, behind the others', async () => {
    const { pacing } = paced(1_000_000);
    const gone: string[] = [];
    pacing.takes(10_000);
    pacing.wait(10_000, () => {
      gone.push('a');
      if (!pacing.takes(10_000)) pacing.wait(10_000, () => gone.push('a again'));
    });
    pacing.wait(10_000, () => gone.push('b'));
    const since = performance.now();
    while (gone.length < 3 && performance.now() - since < 5_000) await pause(5);
    assert.deepEqual(gone, ['a', 'b', 'a again']);
    pacing.end();
  });

  it('are over for all at once when it ends, and when it is not told again', async () => {
    for (const end of ['told', 'forgotten']) {
      const { pacing, changes } = paced(1, end === 'told' ? LONG_MS : 100);
      let gone = 0;
      pacing.takes(1_000);
      for (let count = 0; count < 100; count += 1) pacing.wait(1_000, () => (gone += 1));
      await pause(30);
      assert.equal(gone, 0);
      if (end === 'told') pacing.end();
      else {
        const since = performance.now();
        while (pacing.isOn && performance.now() - since < 5_000) await pause(5);
      }
      assert.deepEqual([gone, pacing.isOn, pacing.takes(1e9)], [100, false, true]);
      assert.deepEqual(changes, [true, false]);
    }
  });

  it('last as long as it is told again, at the rate of the last time', async () => {
    const { pacing, changes } = paced(1, 500);
    let isGone = false;
    pacing.takes(1_000);
    pacing.wait(1, () => {
      isGone = true;
    });
    const since = performance.now();
    while (performance.now() - since < 700) {
      await pause(50);
      pacing.begin([[10, 19]], 1, 500);
    }
    assert.deepEqual([isGone, changes], [false, [true]]);
    pacing.begin([[10, 19]], 1e9, LONG_MS);
    assert.deepEqual([isGone, changes], [true, [true]]);
    pacing.end();
  });
});
