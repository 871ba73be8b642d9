/** A run: a fleet by the seed, then rounds of faults, each followed by mending, waiting until all is whole, and checking. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultName } from './faults/names.ts';
import { type Final, nowMs, type Operation } from './history.ts';
import { type PlayedFault, Player } from './player.ts';
import { describeRound, type Round, roundOf, type Scenario } from './scenario.ts';
import { Stage } from './stage.ts';
import { judge, type Kept, type Verdict } from './verdict.ts';

/** After the last fault has ended, all databases are ready and whole within this. */
const READY_MS = 120_000;
const WARM_UP_MS = 2_000;
const LOOK_MS = 500;
const READ_TRIES = 5;

export interface ChaosOptions {
  scenario: Scenario;
  /** Faults to choose from. */
  names: readonly FaultName[];
  /** Of each round. */
  troubleMs: number;
  /** Called before each round, with the number of those that were played. */
  another: (played: number) => boolean;
  /** A folder for histories, schedules and logs. */
  out: string;
  progress: (line: string) => void;
  /** Ends the run at once; nothing is left running. */
  signal?: AbortSignal;
}

export interface PlayedRound {
  round: Round;
  faults: PlayedFault[];
  /** By database. */
  verdicts: Record<string, Verdict>;
  /** From the end of the last fault; null: not within `READY_MS`. */
  readyMs: number | null;
  /** What was not whole when time was up, or what else went wrong. */
  trouble: string | null;
}

/**
 * Plays rounds until there is to be no other, or one has failed. What is left on the machine is in `out` alone.
 * @throws Error when the fleet does not come up, or the run was ended from outside
 */
export async function runChaos(options: ChaosOptions): Promise<PlayedRound[]> {
  const { scenario, progress, signal = new AbortController().signal } = options;
  const cleanups: (() => unknown)[] = [];
  const ended = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('the run was ended')), { once: true });
  });
  try {
    progress(
      `${scenario.machines.length} machines, ${scenario.databases.map(({ name }) => name).join(', ')}: starting`,
    );
    return await Promise.race([ended, play(options, (clean) => void cleanups.push(clean))]);
  } finally {
    for (const clean of cleanups.reverse()) await clean();
  }
}

async function play(options: ChaosOptions, after: (clean: () => unknown) => void): Promise<PlayedRound[]> {
  const { scenario, another, out } = options;
  const stage = await Stage.open(scenario, after);
  const kept = new Map<string, Kept>();
  for (const { name } of scenario.databases) kept.set(name, { finals: new Map(), uncertain: new Set() });
  const first = await untilWhole(stage);
  if (first !== null) throw new Error(`before any fault: ${first}`);
  const rounds: PlayedRound[] = [];
  while (another(rounds.length)) {
    const number = rounds.length + 1;
    const played = await playRound(number, stage, kept, options, join(out, `round-${number}`));
    rounds.push(played);
    if (isGood(played)) continue;
    await stage.keepLogs(join(out, 'logs'));
    break;
  }
  return rounds;
}

/** Nothing in it breaks a promise. */
export const isGood = ({ trouble, verdicts }: PlayedRound): boolean =>
  trouble === null && Object.values(verdicts).every(({ violations }) => violations.length === 0);

async function playRound(
  number: number,
  stage: Stage,
  kept: Map<string, Kept>,
  { scenario, names, troubleMs, progress }: ChaosOptions,
  dir: string,
): Promise<PlayedRound> {
  mkdirSync(dir, { recursive: true });
  const round = roundOf(scenario.seed, number, names, troubleMs);
  const lines = describeRound(round);
  progress(lines.join('\n'));
  writeFileSync(join(dir, 'schedule.txt'), `${lines.join('\n')}\n`);
  const result: PlayedRound = { round, faults: [], verdicts: {}, readyMs: null, trouble: null };
  stage.clients.begin(number, dir);
  try {
    await stage.startAllClients();
    await sleep(WARM_UP_MS);
    progress(`round ${number}: what happens`);
    result.faults = await new Player(stage, progress).play(round);
    stage.startAllAgents();
    const mendedMs = nowMs();
    result.trouble = await untilWhole(stage);
    if (result.trouble === null) result.readyMs = nowMs() - mendedMs;
    await stage.clients.stop();
    const history = stage.clients.history();
    for (const database of scenario.databases) {
      const { name } = database;
      const ofKept = kept.get(name)!;
      const operations = history.filter((one) => one.database === name);
      const read = await readAll(stage, name, operations, ofKept);
      writeFileSync(join(dir, `finals-${name}.json`), JSON.stringify([...read.finals]));
      result.verdicts[name] = judge(database, operations, read, ofKept, result.faults, (slot) =>
        stage.shardOf(name, slot),
      );
    }
  } catch (error) {
    result.trouble ??= (error as Error).stack ?? String(error);
  }
  writeFileSync(join(dir, 'result.json'), JSON.stringify(result, null, 1));
  progress(describeResult(result));
  return result;
}

/** Null once every database is whole; else what is not when time is up. */
async function untilWhole(stage: Stage): Promise<string | null> {
  const deadline = nowMs() + READY_MS;
  for (;;) {
    const problems = await Promise.all(
      stage.scenario.databases.map((database) => stage.notWhole(database).catch(({ message }: Error) => message)),
    );
    const problem = problems.find((one) => one !== null) ?? null;
    if (problem === null || nowMs() > deadline) return problem;
    await sleep(LOOK_MS);
  }
}

/** Every key of this round's operations and of those kept. Read at any endpoint. */
async function readAll(
  stage: Stage,
  name: string,
  operations: readonly Operation[],
  { finals }: Kept,
): Promise<{ finals: Map<string, Final>; finalMs: number }> {
  const keys = new Map<string, boolean>();
  for (const [key, value] of finals) keys.set(key, Array.isArray(value));
  for (const { key, kind } of operations) keys.set(key, kind === 'push');
  const { endpoints, password } = stage.databases.find((one) => one.name === name)!;
  for (let tries = 1; ; tries += 1) {
    const finalMs = nowMs();
    const endpoint = endpoints[tries % endpoints.length]!;
    try {
      const values = await stage.observer.ask('finals', { endpoint, password, keys: [...keys] });
      return { finals: new Map(values), finalMs };
    } catch (error) {
      if (tries === READ_TRIES) throw error;
      await sleep(1_000);
    }
  }
}

function describeResult({ round, verdicts, readyMs, trouble }: PlayedRound): string {
  const lines = Object.entries(verdicts).flatMap(
    ([
      name,
      {
        operations: { ok, failed, unknown },
        violations,
        excused,
      },
    ]) => [
      `  ${name}: ${ok} ok, ${failed} failed, ${unknown} unknown; ${excused.length} excused, ${violations.length} violations`,
      ...excused.map(({ kind, key, detail, fault }) => `    excused by ${fault}: ${kind} ${key}: ${detail}`),
      ...violations.slice(0, 10).map(({ kind, key, detail }) => `    VIOLATION ${kind} ${key}: ${detail}`),
    ],
  );
  const end = trouble === null ? `whole after ${(readyMs! / 1_000).toFixed(1)} s` : `TROUBLE: ${trouble}`;
  return [`round ${round.number}: ${end}`, ...lines].join('\n');
}
