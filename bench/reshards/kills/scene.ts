/** A fleet under load in which processes are killed while the number of shards changes: one reshard, one kill at a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseStatus } from '../../../src/domain/status.ts';
import type { Random } from '../../../test/sim/random.ts';
import type { Fleet } from '../../support/fleet.ts';
import { progress } from '../../support/report.ts';
import { checkBallast } from '../ballast.ts';
import type { Check } from '../check.ts';
import type { Clients } from '../clients.ts';
import { type Change, type Course, runCourse } from '../course.ts';
import type { Load } from '../load.ts';
import { failedIn, measuredIn } from '../table.ts';
import { untilWhole } from './aftermath.ts';
import type { KeptLogs } from './kept-logs.ts';
import { courseFor, type Pair, partsOf, type Step, type Victim } from './pairs.ts';
import { PatientClient } from './patient-client.ts';
import { likelyParties, reachedSteps } from './steps.ts';
import { type Aim, Striker, type Struck } from './striker.ts';
import type { Durability, Kill } from './verdict.ts';

/** Between two looks at how far a reshard has come. */
const LOOK_MS = 10;
const FAILED_SHOWN = 50;
/** A state of a job is hit at once, or so long after it began. */
const AT_ONCE = 0.5;
const JOB_DELAY_MS = 20;
/** What is asked for is stored within the first of them; of what is seen, the next step comes within the others. */
const STEP_DELAY_MS: Record<Step, number> = {
  ...{ accepted: 40, paused: 40, resumed: 40, cancelled: 40 },
  ...{ made: 2_500, moved: 2_400, retired: 100, over: 500 },
};

export interface SceneOptions {
  fleet: Fleet;
  database: string;
  durability: Durability;
  clients: Clients;
  load: Load;
  check: Check;
  logs: KeptLogs;
  ballast: { keys: number; bytes: number };
  /** A reshard is to be over, and all to be whole, so long after the kill. */
  deadlineMs: number;
}

export class Scene {
  readonly #options: SceneOptions;
  readonly #striker: Striker;
  readonly #patient: PatientClient;
  #rising: Promise<unknown> = Promise.resolve();
  /** The reshard was seen. */
  #isUnderWay = false;

  constructor(options: SceneOptions) {
    this.#options = options;
    this.#striker = new Striker(options.fleet.dataDir, (struck, victim) => this.#raise(struck, victim));
    this.#patient = new PatientClient(
      () => options.fleet.client,
      (step) => this.#striker.reached(step),
    );
  }

  /** Now. */
  get shards(): Promise<number> {
    return this.#patient.database(this.#options.database).then(({ spec }) => spec.shards);
  }

  /** One reshard with a kill. All that is left to chance is drawn before. */
  async kill(number: number, pair: Pair, random: Random): Promise<Kill> {
    const { fleet, database, durability, clients, load, check, ballast, deadlineMs } = this.#options;
    const before = await this.#patient.database(database);
    const course = courseFor(pair, before.spec.shards, random);
    const aim = drawAim(pair, before, course, random);
    load.takeLongestPauseMs();
    const sentAgainBefore = clients.sentAgain;
    const { change, struck } = await this.#underFire(number, course, aim, before);
    const killedAt = struck?.pid == null ? null : struck.at - performance.timeOrigin;
    await this.#rising.catch((error: Error) => progress(`  starting the server again: ${error.message}`));
    const wrong = await untilWhole(fleet, database, struck?.pid ?? null, deadlineMs);
    await clients.connected(deadlineMs);
    const wholeAt = performance.now();
    const ownPauseMs = load.takeLongestPauseMs();
    const round = await load.nextRound();
    const found = await check.round(round);
    const { timeOrigin } = performance;
    return {
      ...{ change, ownPauseMs, sentAgain: clients.sentAgain - sentAgainBefore },
      ...measuredIn({ startedAt: change.startedAt, endedAt: wholeAt }, round, timeOrigin),
      ...{ found, failed: failedIn(round, timeOrigin).slice(0, FAILED_SHOWN), durability, pair, struck, wrong },
      overMs: killedAt === null ? null : Math.max(0, change.endedAt - killedAt),
      wholeMs: killedAt === null || wrong !== null ? null : wholeAt - killedAt,
      ballast: await checkBallast(clients.reader, ballast.keys, ballast.bytes),
    };
  }

  close(): void {
    this.#striker.close();
  }

  async #underFire(
    number: number,
    course: Course,
    aim: Aim,
    before: DatabaseStatus,
  ): Promise<{ change: Change; struck: Struck | null }> {
    const { database, deadlineMs } = this.#options;
    const over = new AbortController();
    const names = new Set(before.shards.map(({ id }) => id));
    this.#tell(before, names);
    this.#isUnderWay = false;
    await this.#striker.aim(aim);
    const following = this.#follow(before.generation, names, over.signal);
    try {
      const change = await runCourse(this.#patient, database, number, course, deadlineMs);
      await this.#look(before.generation, names);
      return { change, struck: await this.#striker.rest() };
    } finally {
      over.abort();
      await following;
    }
  }

  /** Tells the striker who is there, and which steps are reached. */
  async #follow(generation: number, names: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look(generation, names).catch(() => {}); // its server may be killed
      await sleep(LOOK_MS);
    }
  }

  async #look(generation: number, names: ReadonlySet<string>): Promise<void> {
    const { fleet, database } = this.#options;
    const status = await fleet.client.database(database);
    this.#tell(status, names);
    // What was seen before the request goes on being told for a moment after it.
    this.#isUnderWay ||= status.generation > generation && status.reshard !== null;
    if (!this.#isUnderWay) return;
    for (const step of reachedSteps(names, status)) this.#striker.reached(step);
  }

  #tell({ shards }: DatabaseStatus, names: ReadonlySet<string>): void {
    const primaries = shards.flatMap(({ primary }) => (primary ? [primary] : []));
    this.#striker.know(
      primaries.map(({ nodeId, host, port, machine, pid }) => ({ nodeId, host, port, machine, pid })),
      likelyParties(names, shards),
    );
  }

  /** The control plane of a fleet on one host is started again by hand; the rest is started by who keeps it. */
  #raise({ pid }: Struck, victim: Victim): void {
    this.#options.logs.killed();
    if (victim !== 'control' || pid === null) return;
    this.#rising = this.#options.fleet.up();
    this.#rising.catch(() => {}); // told where it is awaited
  }
}

function drawAim({ victim, moment }: Pair, { shards, endpoints }: DatabaseStatus, { to }: Course, random: Random): Aim {
  const [side, what] = partsOf(moment);
  const job = 1 + random.below(Math.abs(to - shards.length));
  const late = random.between(0, side === 'step' ? STEP_DELAY_MS[what as Step] : JOB_DELAY_MS);
  const atOnce = side !== 'step' && random.chance(AT_ONCE);
  return { victim, moment, job, delayMs: atOnce ? 0 : late, machine: random.pick(endpoints).machine };
}
