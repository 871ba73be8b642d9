/**
 * One database's loop: observe, diagnose, plan, execute, and again. Events only wake it early; whatever it missed, the
 * next look sees. Nothing of it needs to survive: after a restart it simply looks again.
 */
import type { Database } from '../domain/database.ts';
import type { NewEvent } from '../domain/event.ts';
import type { FailoverRecord } from '../domain/failover.ts';
import { shortId } from '../domain/ids.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import { counted } from '../domain/template.ts';
import type { DatabaseView } from '../domain/view.ts';
import { Backoff } from '../plan/backoff.ts';
import { explainBecause } from '../plan/explain.ts';
import { endedOverrides, withoutOverrides } from '../plan/overridden.ts';
import type { Plan, Planner } from '../plan/plan.ts';
import { describeProblem, PROBLEMS, type Problem, patienceMsOf, waitMsOf } from '../plan/problems.ts';
import { isReshardOver, withoutReshard } from '../plan/reshard.ts';
import { isRestored } from '../plan/restore.ts';
import { furtherMoves, type MoveStep } from '../plan/slot-moves.ts';
import { attemptKey, problemKey, statusOf } from '../plan/status.ts';
import type { Outcome, Step } from '../plan/step.ts';
import { endedWishes, withoutWishes } from '../plan/switchover.ts';
import type { EndTimer } from '../platform/clock.ts';
import type { WriterPace } from '../protocol/endpoint-messages.ts';
import { loaded } from './backups/loaded.ts';
import { controlFailover } from './control-failover.ts';
import { execute } from './executor.ts';
import { JobChain } from './job-chain.ts';
import { Pacer } from './pacer.ts';
import { quietIntervalMs } from './quiet-interval.ts';
import type { Tools } from './tools.ts';

/** Between two looks at a database that is on the way somewhere: at first, and at most, while nothing can be done. */
const BUSY_INTERVAL_MS = 20;
const LONGEST_BUSY_MS = 250;
/** After a look that failed. */
const FAILED_INTERVAL_MS = 1_000;
/** Until the look after the end of a process: its agent acts at once, and a look takes time from it. */
const HEAD_START_MS = 200;

export interface Surroundings extends Omit<Tools, 'jobsBegun'> {
  plan: Planner;
  /** Writes to the history and the log. */
  record: (event: NewEvent) => void;
  /** True while the fleet stops: nothing may be mended then. */
  isStopping: () => boolean;
  /** A look is over, with the steps that followed from it. */
  looked?: (durationMs: number) => void;
  /** A look has shown this. */
  seen?: (status: DatabaseStatus) => void;
  /** A replica was promoted from here. */
  tookOver?: (failover: FailoverRecord) => void;
  /** Slots, primaries or copies are, or may be, not where they were. */
  moved?: () => void;
  /** Endpoints are to serve a database that they did not serve. */
  served?: () => void;
  /** All slots are where they are to be, after so long and without a pause. */
  resharded?: (database: Database, seconds: number) => void;
  /** The backup that is being made of a database. */
  backupOf?: (name: string) => string | null;
  /** How fast clients may write to slots that are on their way. */
  pace?: (pace: WriterPace) => void;
}

/** Steps after which clients find something elsewhere. */
const MOVING: readonly Step['kind'][] = [
  'add_copy',
  'claim_slots',
  'promote',
  'replicate',
  'retire_copy',
  'retire_shard',
  'start_node',
  'switch_over',
];

export class Reconciler {
  readonly #name: string;
  readonly #around: Surroundings;
  readonly #backoff = new Backoff();
  readonly #pacer: Pacer;
  readonly #jobs: JobChain;
  /** Since when each problem that holds has held, in milliseconds, and the ones that have been told, by `problemKey`. */
  #since = new Map<string, number>();
  readonly #told = new Map<string, Problem>();
  readonly #attempts = new Map<string, string>();
  /** Of the latest look. */
  #problems: readonly Problem[] = [];
  #status: DatabaseStatus | null = null;
  #endTimer: EndTimer | null = null;
  #busyMs = BUSY_INTERVAL_MS;
  #givesHeadStart = false;
  #pass: Promise<void> | null = null;
  #wokenDuringPass = false;
  #closed = false;

  constructor(name: string, around: Surroundings) {
    this.#name = name;
    this.#around = around;
    this.#jobs = new JobChain({
      clock: around.clock,
      idle: async () => {
        while (this.#pass) await this.#pass;
      },
      record: () => (around.isStopping() ? undefined : around.databases.find(name)),
      goOn: (step, database) => {
        if (!this.#pass) this.#run(() => this.#oneMore(step, database)); // else a look has begun, and decides
      },
      wake: () => this.wake(),
    });
    this.#pacer = new Pacer({ pace: (pace) => around.pace?.(pace), record: (event) => this.#record(event) });
  }

  /** As the latest look showed it; null before the first. */
  get status(): DatabaseStatus | null {
    return this.#status;
  }

  /** A process has ended: its agent is given a moment. */
  wakeAfterEnd(): void {
    if (this.#pass) return this.wake();
    if (this.#closed || this.#givesHeadStart) return; // of many ends one after the other, the first counts
    this.#givesHeadStart = true;
    this.#lookIn(HEAD_START_MS);
  }

  /** Something may have changed: look now. */
  wake(): void {
    if (this.#closed) return;
    this.#busyMs = BUSY_INTERVAL_MS;
    this.#begin();
  }

  #begin(): void {
    if (this.#closed) return;
    if (this.#pass) {
      this.#wokenDuringPass = true;
      return;
    }
    this.#givesHeadStart = false;
    this.#endTimer?.();
    this.#endTimer = null;
    const { clock, looked } = this.#around;
    const startedAt = clock.now();
    this.#run(() => this.#look().finally(() => looked?.(clock.now() - startedAt)));
  }

  #run(work: () => Promise<void>): void {
    this.#pass = work()
      .catch((error: unknown) => this.#failed(error))
      .then(() => {
        this.#pass = null;
        if (this.#wokenDuringPass) {
          this.#wokenDuringPass = false;
          this.#begin();
        }
      });
  }

  /** Further jobs, without a look before; after them looks go on. */
  async #oneMore(step: MoveStep, database: Database): Promise<void> {
    this.#endTimer?.();
    await this.#execute(database, step, this.#problems);
    this.#lookIn(0);
  }

  /** Stops looking; resolves when the look under way is over. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#jobs.close();
    this.#endTimer?.();
    await this.#pass;
  }

  async #look(): Promise<void> {
    const { clock, databases, isStopping, observer, plan } = this.#around;
    const database = databases.find(this.#name);
    if (!database) return;
    const lookedAt = clock.now();
    const view = { ...(await observer.observe(database)), backup: this.#around.backupOf?.(this.#name) ?? null };
    const next = plan(database, view);
    this.#noteProblems(next.problems);
    this.#problems = next.problems;
    this.#jobs.looked(lookedAt, database.reshard ? furtherMoves(database, view, next.problems) : []);
    const told = next.problems.filter((problem) => this.#told.has(problemKey(problem)));
    const paced = this.#pacer.look(database, view);
    this.#publish(database, statusOf(database, view, told, this.#since, this.#attempts, paced));
    await this.#reached(database);
    await this.#endReshard(database, view);
    await this.#endLoading(database, view);
    await this.#endWishes(database, view);
    await this.#endOverrides(database, view);
    const steps = isStopping() ? [] : next.steps.filter((step) => this.#isDue(database, step, next.problems));
    const outcomes = await Promise.all(steps.map((step) => this.#execute(database, step, next.problems)));
    for (const [index, step] of steps.entries()) {
      if (outcomes[index]!.result === 'done') this.#noteTakeover(database, view, step, next.problems);
    }
    if (databases.find(this.#name)) this.#sleep(next, outcomes);
  }

  /** Not tried too lately, and what it mends has held for as long as it must. */
  #isDue({ nodes }: Database, step: Step, problems: readonly Problem[]): boolean {
    const now = this.#around.clock.now();
    const waitMs = waitMsOf(step.because);
    const causes = problems.filter(({ code }) => code === step.because);
    const target = nodes.find(({ id }) => id === step.target);
    // What is done about a node may be done to another of its shard.
    const about =
      causes.find(({ node }) => node === step.target) ?? causes.find(({ shard }) => shard === target?.shard);
    const since = (about && this.#since.get(problemKey(about))) ?? now;
    return (waitMs === 0 || now - since >= waitMs) && this.#backoff.allows(step, now);
  }

  async #execute(database: Database, step: Step, problems: readonly Problem[]): Promise<Outcome> {
    const outcome = await execute(
      { ...this.#around, jobsBegun: (jobs) => void this.#jobs.begun(jobs) },
      database,
      step,
    );
    this.#backoff.note(step, outcome, this.#around.clock.now());
    const attempt = attemptKey(step.because, step.target);
    if (outcome.result === 'done' && MOVING.includes(step.kind)) this.#around.moved?.();
    if (outcome.result === 'done') this.#attempts.delete(attempt);
    else this.#attempts.set(attempt, outcome.reason);
    // A probe changes nothing, and is repeated until it has come through: no history worth telling.
    if (step.kind === 'probe' && outcome.result === 'done') return outcome;
    const sentence = explainBecause(database, step, problems);
    const assignment = database.nodes.find(({ id }) => id === step.target);
    const about = assignment ? { node: assignment.id, shard: assignment.shard, machine: assignment.machine } : {};
    const details = { step: step.kind, because: step.because, outcome: outcome.result };
    if (outcome.result === 'done') {
      this.#record({ kind: 'step_done', severity: 'info', message: sentence, ...about, details });
    } else {
      const message = `Not done: ${sentence} Reason: ${outcome.reason}`;
      this.#record({ kind: 'step_not_done', severity: 'warning', message, ...about, details });
    }
    return outcome;
  }

  /** Sooner while something is under way: steps were done, or a problem is there that mends itself or is being mended. */
  #sleep({ problems, blocked }: Plan, outcomes: readonly Outcome[]): void {
    if (this.#closed) return;
    const mended = outcomes.some(({ result }) => result === 'done');
    const passing = problems.some(({ code }) => PROBLEMS[code].severity === 'info') || blocked.length > 0;
    const busy = passing || this.#status?.state === 'creating';
    const delay = mended ? 0 : busy ? this.#busyMs : this.#restMs(problems);
    this.#busyMs = mended ? BUSY_INTERVAL_MS : Math.min(LONGEST_BUSY_MS, this.#busyMs * 1.5);
    this.#lookIn(delay);
  }

  #lookIn(ms: number): void {
    this.#endTimer?.();
    this.#endTimer = this.#around.clock.timer(ms, () => this.#begin());
  }

  /** Where something is wrong, the look never comes less often, however many nodes there are. */
  #restMs(problems: readonly Problem[]): number {
    if (problems.length > 0) return quietIntervalMs(0);
    return quietIntervalMs(this.#around.databases.all().reduce((sum, { nodes }) => sum + nodes.length, 0));
  }

  /** The generation is reached the first time the database is ready with it. */
  async #reached(database: Database): Promise<void> {
    const { generation, observedGeneration } = database;
    if (this.#status?.state !== 'ready' || observedGeneration >= generation) return;
    await this.#around.databases.change(database.name, (record) => ({ ...record, observedGeneration: generation }));
    this.#status = { ...this.#status, observedGeneration: generation };
  }

  /** All slots are where they are to be: what was to be expected is told beside what came. */
  async #endReshard(database: Database, view: DatabaseView): Promise<void> {
    if (!isReshardOver(database, view)) return;
    const { estimate, startedAt, cancels } = database.reshard!;
    const changed = await this.#around.databases.change(database.name, (record) => withoutReshard(record, database));
    if (changed.reshard !== null) return;
    const seconds = Math.round((view.at - startedAt) / 100) / 10;
    const plan = `expected were ${estimate.seconds} s for ${estimate.slots} slots with ${estimate.keys} keys`;
    const what = cancels ? 'are back where they were' : `are spread over ${counted(database.spec.shards, 'shard')}`;
    const message = `The slots of ${database.name} ${what}: it took ${seconds} s; ${plan}.`;
    const details = { seconds, estimatedSeconds: estimate.seconds, slots: estimate.slots, bytes: estimate.bytes };
    if (!cancels && database.reshard!.retriesFrom === startedAt) this.#around.resharded?.(database, seconds);
    this.#record({ kind: 'reshard_done', severity: 'info', message, details });
    this.wake(); // limits and log level are to be those of the new spread
  }

  /** All of a backup is there: people are let in. */
  async #endLoading(database: Database, view: DatabaseView): Promise<void> {
    if (!isRestored(database, view)) return;
    const changed = await this.#around.databases.change(database.name, (record) => loaded(record));
    if (changed.restore?.stage === 'load') return;
    const seconds = Math.round((view.at - database.restore!.startedAt) / 100) / 10;
    const message = `${database.name} has all the data of ${database.restore!.id}: it took ${seconds} s.`;
    this.#record({ kind: 'restore_loaded', severity: 'info', message, details: { seconds } });
    this.#around.moved?.();
    this.#around.served?.();
  }

  /** Switchovers that were asked for are wishes for a time only. */
  async #endWishes(database: Database, view: DatabaseView): Promise<void> {
    const ended = endedWishes(database, view);
    if (ended.length === 0) return;
    await this.#around.databases.change(database.name, (record) => withoutWishes(record, ended));
    for (const { shard, wanted, isReached } of ended) {
      if (isReached) continue;
      const message = `The primary of ${shard} did not become ${shortId(wanted.node)} in time: it is not tried any more.`;
      this.#record({ kind: 'switchover_given_up', severity: 'warning', message, shard, node: wanted.node });
    }
  }

  /** What was said of lost primaries holds until they are replicas again. */
  async #endOverrides(database: Database, view: DatabaseView): Promise<void> {
    const ended = endedOverrides(database, view);
    if (ended.length === 0) return;
    await this.#around.databases.change(database.name, (record) => withoutOverrides(record, ended, database));
    for (const { node, shard, isGivenUp } of ended) {
      if (!isGivenUp) continue;
      const message = `Nobody took the place of ${shortId(node)} as the primary of ${shard}: it is not tried any more.`;
      this.#record({ kind: 'takeover_given_up', severity: 'warning', message, shard, node });
    }
  }

  #noteTakeover(database: Database, view: DatabaseView, step: Step, problems: readonly Problem[]): void {
    if (step.kind !== 'promote') return;
    const { clock, newNodeId, tookOver } = this.#around;
    const cause = problems.find(({ code, node }) => code === step.because && node === step.args.insteadOf);
    const seenAt = (cause && this.#since.get(problemKey(cause))) ?? view.at;
    tookOver?.(controlFailover(database, view, step, seenAt, newNodeId().slice(0, 12), clock.now()));
  }

  #publish(database: Database, status: DatabaseStatus): void {
    const before = this.#status?.state;
    if (this.#status && placesOf(this.#status) !== placesOf(status)) this.#around.moved?.();
    this.#status = status;
    this.#around.seen?.(status);
    if (before === status.state) return;
    const severity = status.state === 'degraded' ? 'warning' : 'info';
    const message = `${database.name} is ${status.state}${before ? `, was ${before}` : ''}.`;
    this.#record({ kind: 'database_state', severity, message, details: { state: status.state } });
  }

  /** Remembers since when each problem holds, and tells the coming and going of those that matter. */
  #noteProblems(problems: readonly Problem[]): void {
    const now = this.#around.clock.now();
    const keys = new Map(problems.map((problem) => [problemKey(problem), problem]));
    this.#since = new Map([...keys.keys()].map((key) => [key, this.#since.get(key) ?? now]));
    for (const [key, problem] of keys) {
      if (this.#told.has(key) || now - this.#since.get(key)! < patienceMsOf(problem.code)) continue;
      this.#told.set(key, problem);
      this.#tell('problem_opened', problem, describeProblem(problem));
    }
    for (const [key, problem] of this.#told) {
      if (keys.has(key)) continue;
      this.#told.delete(key);
      this.#tell('problem_closed', problem, `No longer: ${describeProblem(problem)}`);
    }
  }

  #tell(kind: 'problem_opened' | 'problem_closed', problem: Problem, message: string): void {
    const { severity } = PROBLEMS[problem.code];
    if (severity === 'info') return;
    const { params: _, code, ...about } = problem;
    const told = kind === 'problem_opened' ? severity : 'info';
    this.#record({ kind, severity: told, message, ...about, details: { problem: code } });
  }

  #record(event: NewEvent): void {
    this.#around.record({ ...event, database: this.#name });
  }

  #failed(error: unknown): void {
    if (this.#closed) return; // a term that ends takes the store away in the middle of a look
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#record({ kind: 'pass_failed', severity: 'error', message: `A look at ${this.#name} failed: ${detail}` });
    this.#lookIn(FAILED_INTERVAL_MS);
  }
}

/** Who serves which slots, and which copies may be read: compared from look to look. */
const placesOf = ({ shards }: DatabaseStatus): string =>
  JSON.stringify(
    shards.map(({ slots, primary, replicas }) => [
      slots,
      primary?.nodeId,
      replicas.filter(({ inSync }) => inSync).map(({ nodeId }) => nodeId),
    ]),
  );
