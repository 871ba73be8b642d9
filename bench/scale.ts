/**
 * Does it hold for a large fleet? Placement and a planner's pass for databases of two shards a machine, on fleets that
 * double. What the figures mean is told in docs/benchmarks.md.
 */
import { existingEngine } from '../src/main/engine.ts';
import { describeMachine } from './support/machine.ts';
import { PlanningScene, type PlanningTimes } from './support/planning.ts';
import { printReport, progress } from './support/report.ts';
import { ms, summarize } from './support/stats.ts';

const SIZES = [250, 500, 1_000, 2_000];
const REPETITIONS = 5;
/** What the project aims at: 1,000 machines and 2,000 shards within this, and twice the fleet for so many times as much. */
const AIMS = { planMs: 1_000, doubling: 2.5 };
const AIMED_SIZE = 1_000;
const NAMES: readonly (keyof PlanningTimes)[] = ['placeMs', 'placeOneMs', 'newMs', 'readyMs', 'failoverMs'];

const machine = describeMachine((await existingEngine()).version);
const results = SIZES.map((machines) => {
  progress(`${machines} machines`);
  const scene = new PlanningScene(machines);
  scene.measure(); // only then is it compiled
  const times = Array.from({ length: REPETITIONS }, () => scene.measure());
  const medianOf = (name: keyof PlanningTimes): number => summarize(times.map((one) => one[name])).median;
  return { machines, shards: scene.shards, times, medians: NAMES.map(medianOf) };
});
const doublings = results.slice(1).map(({ machines, medians }, index) => ({
  machines,
  ratios: medians.map((median, at) => median / results[index]!.medians[at]!),
}));
const aimed = results.find(({ machines }) => machines === AIMED_SIZE)!;

printReport({
  machine,
  tables: [
    {
      title: `Planning: databases of 500 shards with 2 replicas each, median of ${REPETITIONS}`,
      head: [
        'machines',
        'shards',
        'placing all',
        'placing one',
        'pass: all are new',
        'pass: all is well',
        'pass: a primary of each died',
      ],
      rows: [
        ...results.map(({ machines, shards, medians }) => [`${machines}`, `${shards}`, ...medians.map(ms)]),
        [`aim at ${AIMED_SIZE}`, '', ...NAMES.map(() => ms(AIMS.planMs))],
        ['holds', '', ...aimed.medians.map((median) => (median < AIMS.planMs ? 'yes' : 'no'))],
      ],
    },
    {
      title: `Twice the fleet, so many times as long (aim: at most ${AIMS.doubling})`,
      head: [
        'to',
        'placing all',
        'placing one',
        'pass: all are new',
        'pass: all is well',
        'pass: a primary of each died',
      ],
      rows: doublings.map(({ machines, ratios }) => [`${machines}`, ...ratios.map((ratio) => ratio.toFixed(2))]),
    },
  ],
  measurements: results,
});
