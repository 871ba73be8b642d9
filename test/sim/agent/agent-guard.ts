/** The guard of one agent from its start to its death: the real one, on virtual time and the modelled network. */
import type { FailoverStory } from '../../../src/agent/failover-log.ts';
import { Guard } from '../../../src/agent/guard.ts';
import { Neighbours } from '../../../src/agent/neighbours.ts';
import type { OwnNode } from '../../../src/agent/own-node.ts';
import { Roster, type RosterContent } from '../../../src/agent/roster.ts';
import type { NodeId } from '../../../src/domain/ids.ts';
import type { ShardPlanner } from '../../../src/plan/plan.ts';
import type { Clock } from '../../../src/platform/clock.ts';
import type { Logger } from '../../../src/platform/log.ts';
import type { Answer, NodeAddress, Question } from '../../../src/protocol/neighbour-messages.ts';
import { type EngineConnection, Engines } from '../../../src/valkey/engines.ts';
import { type ConnectionSurroundings, ModelConnection } from '../connection.ts';
import { agentOf, nodesOf } from '../network.ts';
import { processClock } from '../process-clock.ts';
import type { Random } from '../random.ts';
import type { Timeline } from '../timeline.ts';
import { type Door, ModelLine } from './line.ts';

/** Where every modelled agent listens for its neighbours. */
export const DOOR_PORT = 7_450;
/** As src/agent/reach.ts. */
const CONNECT_MS = 200;

/** How agents act by themselves: as they do, or, to test the simulator, wrongly. */
export interface AgentMind {
  plan: ShardPlanner;
  /** What an agent tells a node goes through this. */
  connect(connection: EngineConnection): EngineConnection;
  /** What a neighbour is answered. */
  answer(question: Question, really: () => Promise<Answer>): Promise<Answer>;
}

export interface GuardWorld extends Pick<ConnectionSurroundings, 'network' | 'engineAt' | 'machineAt' | 'hasPower'> {
  timeline: Timeline;
  mind: AgentMind;
  doorOf(machine: string): Door;
  note(text: string): void;
}

export interface LifeSurroundings {
  machine: string;
  world: GuardWorld;
  random: Random;
  /** Milliseconds of the machine's clock a virtual one. */
  rate: number;
  nodes: ReadonlyMap<NodeId, OwnNode>;
  /** What its disk says; whatever is put there outlives it. */
  disk: { roster: RosterContent; writtenAt: number };
}

export class AgentGuard {
  readonly roster: Roster;
  readonly #around: LifeSurroundings;
  readonly #guard: Guard;
  readonly #neighbours: Neighbours;
  readonly #clock: Clock;
  #alive = true;

  constructor(around: LifeSurroundings) {
    this.#around = around;
    const { disk, machine, nodes, rate, world } = around;
    const { network, timeline, doorOf } = world;
    const clock = processClock(
      timeline,
      () => this.#alive,
      (virtualMs) => virtualMs * rate,
      rate,
    );
    this.#clock = clock;
    this.roster = new Roster(disk.roster, (content) => this.#save(content));
    const log = this.#log();
    const newLine = ({ voter }: { voter: ModelLine['voter'] }) =>
      new ModelLine(voter, { timeline, network, clock, machine, doorOf });
    this.#neighbours = new Neighbours({ roster: this.roster, credentials: null, token: null, log, newLine });
    this.#guard = new Guard({
      ...{ machine, nodes, clock, log },
      roster: this.roster,
      neighbours: this.#neighbours,
      engines: this.#engines(),
      isAnyReached: (addresses) => this.#isAnyReached(addresses),
      failovers: { begin: () => this.#story() },
      nudge: () => {},
      waited: async () => 0,
      plan: world.mind.plan,
    });
    this.#guard.begin();
  }

  replacePrimary: Guard['replacePrimary'] = (wish) => this.#guard.replacePrimary(wish);

  /** The agent is killed: what it had sent is on its way, and no more follows. */
  die(): void {
    this.#alive = false;
    this.#neighbours.close();
    this.#guard.close();
  }

  get mayDecide(): boolean {
    return this.#guard.mayDecide;
  }

  /** A node of this machine ended, and nobody had asked for it. */
  nodeEnded(id: NodeId): void {
    this.#around.world.timeline.woke();
    this.#guard.nodeEnded(id);
  }

  /** As `NeighbourDoor`. */
  asked(version: number, question: Question, answer: (answer: Answer) => void): void {
    const { mind, timeline } = this.#around.world;
    timeline.woke();
    if (version < this.roster.voters.version) return answer({ kind: 'newer-voters', voters: this.roster.voters });
    void mind
      .answer(question, () => this.#guard.answer(question, null))
      .then((given) => {
        if (this.#alive) answer(given);
      });
  }

  /** Files are written at once, and take a moment to be safe. */
  #save(content: RosterContent): Promise<void> {
    const { disk, random } = this.#around;
    return this.#clock.sleep(random.between(0.2, 20)).then(() => {
      disk.roster = content;
      disk.writtenAt = this.#around.world.timeline.now;
    });
  }

  #engines(): Engines {
    const { machine, world } = this.#around;
    const { engineAt, hasPower, machineAt, mind, network, timeline } = world;
    const around: ConnectionSurroundings = {
      ...{ network, engineAt, machineAt, hasPower },
      clock: this.#clock,
      place: agentOf(machine),
      isAlive: () => this.#alive,
      woke: () => timeline.woke(),
    };
    return new Engines(null, (options) => mind.connect(new ModelConnection(options, around)));
  }

  async #isAnyReached(addresses: readonly NodeAddress[]): Promise<boolean> {
    const reached = await Promise.all(addresses.map((address) => this.#takesConnection(address)));
    return reached.includes(true);
  }

  /** Asked of the kernel over there: a process that hangs is reached, too. */
  #takesConnection({ host, port }: NodeAddress): Promise<boolean> {
    const { machine, world } = this.#around;
    const { doorOf, engineAt, machineAt, network, timeline } = world;
    const there = machineAt(host);
    if (there === null) return Promise.resolve(false);
    const isDoor = port === DOOR_PORT;
    const [from, to] = [agentOf(machine), isDoor ? agentOf(there) : nodesOf(there)];
    return new Promise((resolve) => {
      const end = (reached: boolean): void => {
        if (!this.#alive) return;
        endTimer();
        timeline.woke();
        resolve(reached);
      };
      const endTimer = this.#clock.timer(CONNECT_MS, () => end(false));
      network.send(from, to, () => {
        if (doorOf(there).down) return;
        const listens = isDoor ? doorOf(there).agentUp : engineAt(host, port) !== null;
        network.send(to, from, () => end(listens));
      });
    });
  }

  #story(): FailoverStory {
    const { machine, world } = this.#around;
    return {
      note: (what) => world.note(`agent of ${machine}: ${what}`),
      end: async () => {},
      waited: async () => {},
    };
  }

  #log(): Logger {
    const { machine, world } = this.#around;
    const write = (...said: [unknown, string?]): void => {
      if (this.#alive) world.note(`agent of ${machine}: ${said.at(-1)} ${detailOf(said[0])}`.trimEnd());
    };
    const nothing = (): void => {};
    const log: Logger = { debug: nothing, info: write, warn: write, error: write, child: () => log };
    return log;
  }
}

function detailOf(fields: unknown): string {
  if (typeof fields !== 'object' || fields === null) return '';
  const { err, ...others } = fields as Record<string, unknown>;
  const error = err instanceof Error ? [err.stack ?? err.message] : [];
  return [...Object.entries(others).map(([name, value]) => `${name} ${JSON.stringify(value)}`), ...error].join(', ');
}
