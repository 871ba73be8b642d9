/**
 * npm run chaos -- --seed N --minutes M          rounds of faults on a fleet of namespaces, until time is up
 *
 *   --rounds N       so many rounds, whatever they take
 *   --trouble S      seconds of trouble in each round (45)
 *   --faults A,B     only these; --without A,B: all but these
 *   --out DIR        where histories are kept (chaos-output)
 *   --schedule       prints what the seed says, and does nothing
 *
 * Needs root. What it does and promises: docs/chaos.md. Exit code 1 when a promise was broken.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SPEC_FIELDS } from '../../src/protocol/spec-fields.ts';
import { testEngine } from '../support/engine.ts';
import { isGood, runChaos } from './chaos.ts';
import { FAULT_NAMES, type FaultName } from './faults/names.ts';
import { summaryOf } from './report.ts';
import { describeRound, roundOf, scenarioOf } from './scenario.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '5' },
    rounds: { type: 'string' },
    trouble: { type: 'string', default: '45' },
    faults: { type: 'string' },
    without: { type: 'string' },
    out: { type: 'string', default: 'chaos-output' },
    schedule: { type: 'boolean', default: false },
  },
});

function numberOf(name: 'seed' | 'minutes' | 'rounds' | 'trouble', least: number): number {
  const value = Number(values[name]);
  if (!Number.isFinite(value) || value < least)
    throw new Error(`--${name} must be a number from ${least} on, not ${values[name]}`);
  return value;
}

function namesOf(text: string | undefined): FaultName[] {
  const words = text?.split(',') ?? [];
  const other = words.find((word) => !FAULT_NAMES.includes(word as FaultName));
  if (other !== undefined) throw new Error(`no fault is named ${other}; there are ${FAULT_NAMES.join(', ')}`);
  return words as FaultName[];
}

function commitOf(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    }).trim();
  } catch {
    return 'unknown';
  }
}

const seed = Math.floor(numberOf('seed', 0));
const minutes = numberOf('minutes', 0);
const rounds = values.rounds === undefined ? null : numberOf('rounds', 1);
const troubleMs = numberOf('trouble', 5) * 1_000;
const without = namesOf(values.without);
const chosen = values.faults === undefined ? FAULT_NAMES : namesOf(values.faults);
const names = chosen.filter((name) => !without.includes(name));
if (names.length === 0) throw new Error('no fault is left to choose from');
const scenario = scenarioOf(seed, 'durability' in SPEC_FIELDS);

if (values.schedule) {
  console.log(JSON.stringify(scenario, null, 2));
  for (let number = 1; number <= (rounds ?? 3); number += 1)
    console.log(describeRound(roundOf(seed, number, names, troubleMs)).join('\n'));
} else {
  const out = resolve(values.out, `seed-${seed}-${new Date().toISOString().replaceAll(':', '')}`);
  mkdirSync(out, { recursive: true });
  const versions = { valkeeper: commitOf(), node: process.version, engine: (await testEngine()).version };
  writeFileSync(join(out, 'run.json'), JSON.stringify({ scenario, names, troubleMs, versions }, null, 2));
  console.log(`seed ${seed}, ${JSON.stringify(versions)}; everything is kept in ${out}`);
  console.log(JSON.stringify(scenario));
  const until = performance.now() + minutes * 60_000;
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
  const played = await runChaos({
    signal: interrupt.signal,
    ...{ scenario, names, troubleMs, out, progress: (line: string) => console.log(line) },
    another: (count) => (rounds === null ? performance.now() < until : count < rounds),
  });
  const summary = summaryOf(scenario, played);
  writeFileSync(join(out, 'summary.md'), `${summary}\n`);
  console.log(`\n${summary}`);
  const good = played.length > 0 && played.every(isGood);
  if (!good)
    console.log(`\nFAILED in round ${played.length}; again: npm run chaos -- --seed ${seed} --rounds ${played.length}`);
  process.exit(good ? 0 : 1);
}
