/** The real control plane and agents against the model: seeds, the kept ones, and those that are wrong and must be caught. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BROKEN_MINDS, mindOf } from './minds.ts';
import { runSeeds } from './pool.ts';
import { KEPT, OPEN } from './seeds.ts';
import { type Result, simulate } from './simulate.ts';

/** By mind. */
const SEEDS = { real: 150, 'control-alone': 100 };
/** Who is wrong must be caught within so many. */
const SEEDS_TO_CATCH = 450;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const seedsOf = (list: readonly { seed: number; mind: string }[], mind: string): number[] =>
  list.filter((one) => one.mind === mind).map(({ seed }) => seed);

const told = (mind: string, { seed, broken, trace }: Result): string =>
  `seed ${seed} breaks ${broken?.invariant}: ${broken?.detail}\n${trace.slice(-40).join('\n')}\nagain: npm run sim -- --mind ${mind} --seed ${seed}`;

describe('the control plane and the agents against the model', () => {
  for (const [mind, count] of Object.entries(SEEDS)) {
    it(`keeps every invariant through ${count} seeds and the kept ones: ${mind}`, async () => {
      const open = new Set(seedsOf(OPEN, mind));
      const seeds = [...new Set([...seedsOf(KEPT, mind), ...upTo(count)])].filter((seed) => !open.has(seed));
      const broken: string[] = [];
      let writes = 0;
      await runSeeds(seeds, mind, (result) => {
        writes += result.writes;
        if (result.broken) broken.push(told(mind, result));
        return broken.length < 3;
      });
      assert.deepEqual(broken, []);
      assert.ok(writes > count * 50, `clients wrote: ${writes}`);
    });

    it(`replays a seed exactly: ${mind}`, async () => {
      assert.deepEqual(await simulate(7, mindOf(mind)), await simulate(7, mindOf(mind)));
    });
  }

  for (const { seed, mind, invariant, why } of OPEN) {
    it(`seed ${seed} is open still: ${why.split('.')[0]}`, async () => {
      const { broken } = await simulate(seed, mindOf(mind));
      assert.equal(broken?.invariant, invariant, 'it breaks no longer: move it to KEPT');
    });
  }
});

describe('who is wrong is caught', () => {
  for (const [name, { wrong, breaks }] of BROKEN_MINDS) {
    it(`${name}: ${wrong}`, async (test) => {
      let ran = 0;
      const caught: Result[] = [];
      await runSeeds(upTo(SEEDS_TO_CATCH), name, (result) => {
        ran += 1;
        if (result.broken && breaks.includes(result.broken.invariant)) caught.push(result);
        return caught.length === 0;
      });
      assert.ok(caught[0], `not caught within ${SEEDS_TO_CATCH} seeds`);
      const { seed, broken } = caught[0];
      assert.ok(caught[0].trace.length > 0, 'the trace is told');
      test.diagnostic(`caught by seed ${seed} after ${ran} seeds: ${broken?.invariant}: ${broken?.detail}`);
    });
  }
});
