/** The real control plane against the model: 300 seeds, the kept ones, and control planes that must be caught. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BROKEN_MINDS, type BrokenName } from './broken-planners.ts';
import { runSeeds } from './pool.ts';
import { KEPT, OPEN } from './seeds.ts';
import { type Result, simulate } from './simulate.ts';

const SEEDS = 300;
/** A wrong control plane must be caught within so many. */
const SEEDS_TO_CATCH = 200;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const told = ({ seed, broken, trace }: Result): string =>
  `seed ${seed} breaks ${broken?.invariant}: ${broken?.detail}\n${trace.slice(-40).join('\n')}\nagain: npm run sim -- --seed ${seed}`;

describe('the control plane against the model', () => {
  it(`keeps every invariant through ${SEEDS} seeds and the kept ones`, async () => {
    const open = new Set(OPEN.map(({ seed }) => seed));
    const seeds = [...new Set([...KEPT.map(({ seed }) => seed), ...upTo(SEEDS)])].filter((seed) => !open.has(seed));
    const broken: string[] = [];
    let writes = 0;
    await runSeeds(seeds, null, (result) => {
      writes += result.writes;
      if (result.broken) broken.push(told(result));
      return broken.length < 3;
    });
    assert.deepEqual(broken, []);
    assert.ok(writes > SEEDS * 50, `clients wrote: ${writes}`);
  });

  it('replays a seed exactly', async () => {
    assert.deepEqual(await simulate(7), await simulate(7));
  });

  for (const { seed, invariant, why } of OPEN) {
    it(`seed ${seed} is open still: ${why.split('.')[0]}`, async () => {
      assert.equal((await simulate(seed)).broken?.invariant, invariant, 'it breaks no longer: move it to KEPT');
    });
  }
});

describe('a control plane that is wrong is caught', () => {
  for (const name of Object.keys(BROKEN_MINDS) as BrokenName[]) {
    const { wrong, breaks } = BROKEN_MINDS[name];
    it(`${name}: it ${wrong}`, async (test) => {
      let ran = 0;
      const caught: Result[] = [];
      await runSeeds(upTo(SEEDS_TO_CATCH), name, (result) => {
        ran += 1;
        if (result.broken && (breaks as readonly string[]).includes(result.broken.invariant)) caught.push(result);
        return caught.length === 0;
      });
      assert.ok(caught[0], `not caught within ${SEEDS_TO_CATCH} seeds`);
      const { seed, broken } = caught[0];
      assert.ok(caught[0].trace.length > 0, 'the trace is told');
      test.diagnostic(`caught by seed ${seed} after ${ran} seeds: ${broken?.invariant}: ${broken?.detail}`);
    });
  }
});
