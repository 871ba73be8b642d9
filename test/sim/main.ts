/**
 * npm run sim                            2,000 seeds from 1
 * npm run sim -- --seed N                one seed again, with all that happened in it
 * npm run sim -- --seed N --seeds M      the seeds N to N + M - 1
 * npm run sim -- --mind NAME ...         with another mind than the real one, of minds.ts
 * npm run sim -- --workers N ...         on so many processors
 */
import { parseArgs } from 'node:util';
import { INVARIANTS } from './invariants.ts';
import { mindOf } from './minds.ts';
import { runSeeds } from './pool.ts';
import { OPEN } from './seeds.ts';
import { type Result, simulate } from './simulate.ts';

const DEFAULT_SEEDS = 2_000;
/** So many failing seeds are enough to look at. */
const MAX_FAILURES = 5;

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${name} must be a whole number from 1 on, not ${text}`);
  return value;
}

function describe({ seed, broken, scenario, trace }: Result): string {
  const { machines, wish, kinds } = scenario;
  const head = [
    `seed ${seed}: ${machines} machines; ${wish.shards} shards, ${wish.replicas} replicas, persistence ${wish.persistence}`,
    `changes: ${scenario.changes.map(({ afterMs, change }) => `${Math.round(afterMs)} ms ${JSON.stringify(change)}`).join(', ') || 'none'}`,
    `faults: ${[...new Set(kinds)].join(', ')}`,
    ...trace,
  ];
  if (!broken) return [...head, `seed ${seed}: every invariant held`].join('\n');
  return [
    ...head,
    `seed ${seed} breaks ${broken.invariant}: ${INVARIANTS[broken.invariant]}`,
    `  ${broken.detail}`,
    `  again: npm run sim -- --seed ${seed}`,
  ].join('\n');
}

async function replay(seed: number, mind: string): Promise<boolean> {
  const result = await simulate(seed, mindOf(mind));
  console.log(describe(result));
  return result.broken === null;
}

async function search(first: number, count: number, mind: string, workers?: number): Promise<boolean> {
  const startedAt = performance.now();
  const failures: Result[] = [];
  const open = new Map(OPEN.filter((one) => one.mind === mind).map(({ seed, invariant }) => [seed, invariant]));
  const known: number[] = [];
  const sum = { seeds: 0, happenings: 0, virtualMs: 0, writes: 0, crash: 0, tail: 0 };
  const worst = { recoveryMs: 0, overlapMs: 0, tailMs: 0 };
  const seeds = Array.from({ length: count }, (_, index) => first + index);
  await runSeeds(
    seeds,
    mind,
    (result) => {
      const { broken, seed, losses } = result;
      sum.seeds += 1;
      sum.happenings += result.happenings;
      sum.virtualMs += result.virtualMs;
      sum.writes += result.writes;
      sum.crash += losses.crash;
      sum.tail += losses.tail;
      worst.overlapMs = Math.max(worst.overlapMs, result.overlapMs);
      worst.tailMs = Math.max(worst.tailMs, losses.oldestTailMs);
      if (!broken) worst.recoveryMs = Math.max(worst.recoveryMs, result.recoveryMs);
      else if (open.get(seed) === broken.invariant) known.push(seed);
      else failures.push(result);
      return failures.length < MAX_FAILURES;
    },
    workers,
  );
  for (const failure of failures) console.log(`${describe(failure)}\n`);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const hours = (sum.virtualMs / 3_600_000).toFixed(1);
  console.log(`${sum.seeds} seeds in ${seconds} s: ${hours} hours of virtual time, ${sum.happenings} happenings.`);
  console.log(
    `${sum.writes} writes acknowledged; lost: ${sum.crash} by crashes of all that held them, ` +
      `${sum.tail} not replicated yet (the oldest ${Math.round(worst.tailMs)} ms old).`,
  );
  console.log(
    `Slowest recovery ${Math.round(worst.recoveryMs)} ms after the last trouble; ` +
      `longest overlap of two owners by the engine's own doing ${worst.overlapMs.toFixed(1)} ms.`,
  );
  if (known.length > 0) console.log(`Known and open (test/sim/seeds.ts): ${known.join(', ')}.`);
  console.log(
    failures.length === 0 ? 'Every invariant held.' : `FAILED: ${failures.map(({ seed }) => seed).join(', ')}`,
  );
  return failures.length === 0;
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    mind: { type: 'string', default: 'real' },
    workers: { type: 'string' },
  },
});
const seed = numberOf('seed', values.seed);
const count = numberOf('seeds', values.seeds);
const { mind } = values;
mindOf(mind);
const workers = numberOf('workers', values.workers);
const fine =
  seed !== undefined && count === undefined
    ? await replay(seed, mind)
    : await search(seed ?? 1, count ?? DEFAULT_SEEDS, mind, workers);
process.exitCode = fine ? 0 : 1;
