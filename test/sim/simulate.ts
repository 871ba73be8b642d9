/** One seed from beginning to end. */
import type { Engine } from './engine/engine.ts';
import { Faults } from './faults.ts';
import { type Invariant, Violation } from './invariants.ts';
import type { Losses } from './ledger.ts';
import { REAL_MIND } from './minds.ts';
import { guardedScenarioOf, type Scenario, scenarioOf } from './scenario.ts';
import { DATABASE, type Mind, World } from './world.ts';

export interface Result {
  seed: number;
  /** The invariant that was broken, and how; null when all held. */
  broken: { invariant: Invariant; detail: string } | null;
  scenario: Scenario;
  trace: readonly string[];
  writes: number;
  losses: Losses;
  /** Longest time two nodes could acknowledge the same slots by the engine's own doing, in milliseconds. */
  overlapMs: number;
  /** From the end of all trouble until the database was ready, in virtual milliseconds. */
  recoveryMs: number;
  virtualMs: number;
  happenings: number;
}

/** After the last trouble the database must be ready within this. The engine's slowest cure is its one-minute list of the forgotten. */
const RECOVERY_MS = 90_000;
/** Ready, it must then plan nothing for so long. */
const QUIET_MS = 4_000;
const FIRST_READY_MS = 60_000;
/** How long a client waits for replicas, and how often it looks. */
const CLIENT_PATIENCE_MS = 1_000;
const ACK_POLL_MS = 2;
/** Between two writes to one shard, on average. */
const WRITE_EVERY_MS = 40;

/** Runs the seed. */
export async function simulate(seed: number, mind: Mind = REAL_MIND): Promise<Result> {
  const run = new Run(seed, mind);
  return run.complete();
}

class Run {
  readonly #seed: number;
  readonly #world: World;
  #over = false;
  #troubleOverAt = 0;
  #readyAt = 0;
  #writing = true;

  constructor(seed: number, mind: Mind) {
    this.#seed = seed;
    const scenario = mind.agents ? guardedScenarioOf(seed) : scenarioOf(seed);
    this.#world = new World(seed, scenario, mind);
  }

  async complete(): Promise<Result> {
    const world = this.#world;
    const startedAt = world.now;
    world.begin();
    this.#writeOnAndOn();
    this.#untilReady(FIRST_READY_MS, world.scenario.startsReady, () => this.#trouble());
    let broken: Violation | null = null;
    try {
      await world.timeline.run(() => {
        world.check();
        return this.#over || world.violation !== null;
      });
      broken = world.violation;
    } catch (error) {
      if (!(error instanceof Violation)) throw new Error(`seed ${this.#seed}: ${String(error)}`, { cause: error });
      broken = world.violation ?? error;
    }
    world.killControl();
    const { ledger, oneOwner, scenario, timeline, trace } = world;
    return {
      seed: this.#seed,
      broken: broken && { invariant: broken.invariant, detail: broken.message },
      scenario,
      trace,
      writes: ledger.writes.length,
      losses: ledger.losses,
      overlapMs: oneOwner.longestOverlapMs,
      recoveryMs: this.#readyAt - this.#troubleOverAt,
      virtualMs: world.now - startedAt,
      happenings: timeline.count,
    };
  }

  #trouble(): void {
    const world = this.#world;
    const { scenario } = world;
    const faults = new Faults(world, world.fork(), scenario.kinds);
    for (const { afterMs, change } of scenario.changes) {
      world.timeline.after(afterMs, () => world.changeSpec(change));
    }
    for (const { machine, afterMs, untilMs } of scenario.drains) {
      const { name } = world.machines[machine]!;
      world.timeline.after(afterMs, () => world.setState(name, 'draining'));
      if (untilMs !== null) world.timeline.after(untilMs, () => world.setState(name, 'active'));
    }
    if (scenario.alone) world.timeline.after(scenario.alone.afterMs, () => world.goAlone());
    faults.begin(scenario.calmMs, scenario.troubleMs, () => {
      if (scenario.alone) world.timeline.after(scenario.alone.calmMs, () => this.#healed());
      else this.#recover();
    });
  }

  /** Agents alone have done what they can. */
  #healed(): void {
    const world = this.#world;
    const unserved = world.unserved();
    if (unserved.length > 0 && world.scenario.startsReady && world.isForAgents(unserved)) {
      world.violate('heals_alone', nobodyServes(unserved));
    }
    world.comeBack();
    this.#recover();
  }

  #recover(): void {
    const world = this.#world;
    this.#troubleOverAt = world.now;
    this.#writing = world.scenario.writesToTheEnd;
    this.#untilReady(RECOVERY_MS, true, () => {
      this.#readyAt = world.now;
      this.#untilQuiet();
    });
  }

  /** Looks every 50 ms whether the database is ready. */
  #untilReady(withinMs: number, wanted: boolean, then: () => void): void {
    const world = this.#world;
    const deadline = world.now + withinMs;
    const look = (): void => {
      const status = world.control?.status(DATABASE);
      if (status?.state === 'ready' || (!wanted && status)) {
        world.note(`the database is ${status.state}`);
        then();
      } else if (world.now < deadline) world.timeline.after(50, look);
      else {
        const conditions = status?.conditions.map(({ message }) => message).join(' ');
        world.violate('converges', `not ready within ${withinMs} ms but ${status?.state}: ${conditions}`);
      }
    };
    world.timeline.after(50, look);
  }

  /** A step or two may still be under way when all is well; then there must be none. */
  #untilQuiet(): void {
    const world = this.#world;
    const deadline = world.now + RECOVERY_MS;
    let { planned } = world;
    let since = world.now;
    const look = (): void => {
      const isReady = world.control?.status(DATABASE)?.state === 'ready';
      if (world.planned !== planned || !isReady || world.notEmptied()) {
        ({ planned } = world);
        since = world.now;
      }
      if (world.now - since >= QUIET_MS) this.#end();
      else if (world.now < deadline) world.timeline.after(50, look);
      else world.violate(...this.#unsettled());
    };
    look();
  }

  #unsettled(): [Invariant, string] {
    const left = this.#world.notEmptied();
    if (left) return ['drains', left];
    return ['settles', `steps are still planned ${RECOVERY_MS} ms after it was ready`];
  }

  #end(): void {
    const world = this.#world;
    const missing = world.missingSetting();
    if (missing) world.violate('has_settings', missing);
    const unserved = world.unserved();
    if (unserved.length > 0) world.violate('serves', nobodyServes(unserved));
    if (!world.scenario.deletesAtTheEnd) {
      this.#over = true;
      return;
    }
    this.#writing = false;
    void world.control!.deleteDatabase(DATABASE);
    const deadline = world.now + RECOVERY_MS;
    const look = (): void => {
      if (!world.control?.database(DATABASE)) {
        if (world.runningNodes().length > 0) world.violate('converges', 'the database is gone and nodes are left');
        this.#over = true;
      } else if (world.now < deadline) world.timeline.after(50, look);
      else world.violate('converges', `not deleted within ${RECOVERY_MS} ms`);
    };
    world.timeline.after(50, look);
  }

  /** A write, and what a client is told of it. */
  #write(engine: Engine, range: number): void {
    const { acknowledgements, ledger, now, timeline } = this.#world;
    const id = ledger.begin(range, now);
    engine.replication.write(id);
    this.#world.wrote(engine);
    if (acknowledgements === 0) return;
    const { offset } = engine.replication;
    engine.replication.askForAcks();
    const until = now + CLIENT_PATIENCE_MS;
    const look = (): void => {
      if (!engine.alive || engine.role !== 'primary') return;
      if (engine.replication.acknowledged(offset) >= acknowledgements) ledger.acknowledge(id);
      else if (timeline.now < until) timeline.after(ACK_POLL_MS, look);
    };
    look();
  }

  /** Clients: one a shard, which finds whoever acknowledges. */
  #writeOnAndOn(): void {
    const world = this.#world;
    const random = world.fork();
    world.ranges.forEach((_, range) => {
      const write = (): void => {
        if (this.#over) return;
        if (this.#writing) {
          const takers = world.engines().filter((engine) => engine.acknowledges(range));
          if (takers.length > 0) this.#write(random.pick(takers), range);
        }
        world.timeline.after(random.between(0, 2 * WRITE_EVERY_MS), write);
      };
      write();
    });
  }
}

const nobodyServes = (shards: readonly number[]): string =>
  `nobody takes writes to ${shards.map((shard) => `shard-${shard + 1}`).join(', ')}`;
