/** The whole model: time, network, machines, nodes, clients that write, and the control plane; with what must hold. */

import type { NewEvent } from '../../src/domain/event.ts';
import { placeholderOf } from '../../src/domain/ids.ts';
import { FEWEST_VOTERS, majorityOf } from '../../src/domain/roster.ts';
import { type SlotRange, splitEvenly } from '../../src/domain/slots.ts';
import type { MachineState } from '../../src/domain/view.ts';
import type { Place } from '../../src/plan/placement.ts';
import type { Planner } from '../../src/plan/plan.ts';
import { logsEveryWrite, wantedSettings } from '../../src/plan/settings.ts';
import type { SpecInput } from '../../src/protocol/api.ts';
import { LEASE_MS, STOP_MS } from '../../src/quorum/times.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import type { AgentMind, GuardWorld } from './agent/agent-guard.ts';
import { ControlProcess } from './control-process.ts';
import { Engine, type Surroundings } from './engine/engine.ts';
import { type Cause, type Disk, type NodeIdentity, readLog } from './engine/state.ts';
import { OneOwner, Violation } from './invariants.ts';
import { Ledger } from './ledger.ts';
import { Machine } from './machine.ts';
import { agentOf, Network } from './network.ts';
import type { Ending, Node } from './node.ts';
import { Random } from './random.ts';
import type { Scenario } from './scenario.ts';
import { Timeline } from './timeline.ts';

export const DATABASE = 'sim';
const START = Date.UTC(2026, 0, 1);
/** How lately a copy may have got its first data without anybody knowing. */
const NEWS_MS = 100;
/** A copy that has failed again and again may be started once more while another is made in its place. */
const STARTS_MS = 1_000;
const MEMORY_BYTES = 8 * 1024 ** 3;
/** Two clocks may differ by a tenth. */
const SLOWEST_CLOCK = 0.955;
const FASTEST_CLOCK = 1.045;
/** A primary whose machine has had no lease for so long takes no writes. */
const STOPPED_MS = STOP_MS + 500;
/** An agent that has just started needs so long to stop what it must. */
const AGENT_START_MS = 2_500;
const SAMPLE_MS = 50;

/** How the control plane and the agents decide: as they do, or, to test the simulator, wrongly. */
export interface Mind {
  plan: Planner;
  arrange: (places: Place[]) => Place[];
  /** Null: agents do only what they are asked to. */
  agents: AgentMind | null;
}

export class World {
  readonly timeline = new Timeline(START);
  readonly scenario: Scenario;
  readonly network: Network;
  readonly ranges: readonly SlotRange[];
  readonly machines: Machine[];
  readonly ledger: Ledger;
  /** How many replicas must have a write before its client is told OK. */
  readonly acknowledgements: number;
  readonly oneOwner = new OneOwner();
  /** What is wanted of machines, where it is not that they take nodes. */
  readonly states = new Map<string, MachineState>();
  /** What has happened, a line each. */
  readonly trace: string[] = [];
  /** Steps that were planned so far. */
  planned = 0;
  /** Steps that were carried out so far. */
  readonly stepsDone: { kind: string; target: string }[] = [];
  readonly #mind: Mind;
  readonly #random: Random;
  readonly #ids: string[];
  readonly #store: Store = openMemoryStore();
  readonly #engines = new Map<string, Engine>();
  readonly #surroundings: Surroundings;
  readonly #starts = new Map<string, { times: number; at: number }>();
  #running: Engine[] = [];
  #control: ControlProcess | null = null;
  #controlUp = false;
  #pids = 1_000;

  constructor(seed: number, scenario: Scenario, mind: Mind) {
    this.scenario = scenario;
    this.#mind = mind;
    this.#random = new Random(seed + 1_000_003);
    this.network = new Network(this.timeline, this.#random.fork());
    this.ranges = splitEvenly(scenario.wish.shards);
    this.#ids = Array.from({ length: 64 }, () => this.#random.hex(40));
    const { durability, acknowledgements = 1 } = scenario.wish;
    this.acknowledgements = durability === 'acknowledged' ? acknowledgements : 0;
    this.ledger = new Ledger((range) => this.#copiesOf(range), this.acknowledgements);
    this.#surroundings = this.#makeSurroundings();
    const guardWorld = this.#guardWorld();
    const guardRandom = new Random(seed + 6_000_003);
    this.machines = Array.from({ length: scenario.machines }, (_, index) => {
      const address = `127.0.0.${11 + index}`;
      return new Machine(`machine-${index + 1}`, address, 'local', MEMORY_BYTES, {
        timeline: this.timeline,
        network: this.network,
        random: this.#random.fork(),
        spawn: (identity, disk) => this.#spawn(identity, disk),
        ended: (node, how) => this.#ended(node, how),
        guarding: guardWorld && {
          world: guardWorld,
          rate: guardRandom.between(SLOWEST_CLOCK, FASTEST_CLOCK),
          random: guardRandom.fork(),
        },
        identityOf: (id, machine) => this.#identityOf(id, machine),
        dial: (machine, socket) => (this.#controlUp && this.#control ? this.#control.welcome(machine, socket) : null),
      });
    });
  }

  get now(): number {
    return this.timeline.now;
  }

  get control(): ControlProcess | null {
    return this.#control;
  }

  fork(): Random {
    return this.#random.fork();
  }

  note(text: string): void {
    this.trace.push(`${((this.now - START) / 1_000).toFixed(3).padStart(8)} s  ${text}`);
  }

  /** Asks for the database once every agent is there. */
  begin(): void {
    this.startControl();
    const ask = (): void => {
      const control = this.#control;
      if (!control || control.connectedAgents() < this.machines.length) {
        this.timeline.after(20, ask);
        return;
      }
      const { wish, replaceAfterSeconds } = this.scenario;
      this.note(
        `${wish.shards} shards, ${wish.replicas} replicas, persistence ${wish.persistence}, ${this.machines.length} machines`,
      );
      void control.createDatabase(DATABASE, { ...wish, replaceAfterSeconds, auth: false }, this.#ids).then(() => {
        for (const { id, shard, machine } of control.database(DATABASE)!.nodes) {
          this.note(`${id.slice(0, 8)} is ${this.nameOf(id)}: a node of ${shard} on ${machine}`);
        }
      });
    };
    this.timeline.after(20, ask);
  }

  /** Asks for other settings, as soon as somebody can be asked. */
  changeSpec(change: SpecInput): void {
    const control = this.#control;
    if (!control?.database(DATABASE)) {
      this.timeline.after(100, () => this.changeSpec(change));
      return;
    }
    this.note(`asked to change: ${JSON.stringify(change)}`);
    this.timeline.woke();
    void control.updateDatabase(DATABASE, change);
  }

  /** From now on there is no control plane, until `comeBack`. */
  goAlone(): void {
    this.#isAlone = true;
    if (this.killControl()) this.note('the control plane goes, and does not come back');
  }

  comeBack(): void {
    this.#isAlone = false;
    this.note('the control plane comes back');
    this.startControl();
  }
  #isAlone = false;

  /** A machine is emptied from now on, or takes nodes again. */
  setState(name: string, state: MachineState): void {
    const control = this.#control;
    if (!control?.knows(name)) {
      this.timeline.after(100, () => this.setState(name, state));
      return;
    }
    this.note(`${name} is ${state} from now on`);
    this.states.set(name, state);
    this.timeline.woke();
    void control.setState(name, state);
  }

  /** Where nodes are that should be gone by now; null when there are none. */
  notEmptied(): string | null {
    const { nodes, retired } = this.#record!;
    if (retired.length > 0) return `${retired.length} nodes that were replaced are still in the record`;
    const [stray] = this.#nodes().filter(({ identity }) => nodes.every(({ id }) => id !== identity.id));
    if (stray) return `${stray.identity.machine} has a node that is not in the record`;
    const left = nodes.find(({ machine }) => this.states.get(machine) === 'draining');
    return left ? `${left.machine} is being emptied and has ${this.nameOf(left.id)}` : null;
  }

  /** What a node lacks of the settings and users that were asked for, in its process or its valkey.conf; null when nothing. */
  missingSetting(): string | null {
    const { spec, aclMark } = this.#record!;
    const wanted = Object.entries(wantedSettings(spec));
    for (const { identity, engine, disk } of this.#nodes()) {
      if (engine?.aclMark !== aclMark || disk.aclMark !== aclMark) {
        return `${this.nameOf(identity.id)} has other users, in its process or on its disk`;
      }
      for (const [name, value] of wanted) {
        const present = [engine?.replication.storage.settings[name], disk.conf[name]];
        if (present.some((one) => one !== value)) {
          return `${this.nameOf(identity.id)} has ${name} ${present.join(' and, on disk, ')}, not ${value}`;
        }
      }
    }
    return null;
  }

  startControl(): void {
    if (this.#controlUp || this.#isAlone) return;
    this.#controlUp = true;
    const { timeline, network } = this;
    const { engineAt, machineAt } = this.#surroundings;
    timeline.woke();
    void ControlProcess.start({
      timeline,
      network,
      store: this.#store,
      plan: (database, view) => {
        const next = this.#mind.plan(database, view);
        this.planned += next.steps.length;
        return next;
      },
      arrange: this.#mind.arrange,
      engineAt,
      machineAt,
      hasPower: (host) => this.#hasPower(host),
      recorded: (event) => this.#recorded(event),
      guarded: this.#mind.agents !== null,
      newNodeId: () => this.#ids.pop() ?? this.#random.hex(40),
    }).then((control) => {
      this.#control = control;
    });
  }

  /** @returns whether there was one to kill */
  killControl(): boolean {
    if (!this.#controlUp || !this.#control) return false;
    this.#controlUp = false;
    this.#control.kill();
    this.#control = null;
    return true;
  }

  engines(): readonly Engine[] {
    return this.#running;
  }

  runningNodes(): Node[] {
    return this.#nodes().filter(({ engine }) => engine !== null);
  }

  machineOf(name: string): Machine {
    return this.machines.find((machine) => machine.name === name)!;
  }

  /** A node as traces call it, such as `1b` for the second node of the first shard. */
  nameOf(id: string): string {
    const nodes = this.#record?.nodes ?? [];
    const node = nodes.find((other) => other.id === id);
    if (!node) return nodes.some((other) => placeholderOf(other.id) === id) ? 'a placeholder' : id.slice(0, 8);
    const fellows = nodes.filter(({ shard }) => shard === node.shard);
    return `${node.shard.replace('shard-', '')}${'abcdef'[fellows.indexOf(node)]}`;
  }

  /** What must hold at every moment. */
  check(): void {
    this.oneOwner.check(this.#running, this.ranges.length, this.now, (engine) => this.#isLoose(engine));
  }

  /** The shards to which nobody takes writes, by number. */
  unserved(): number[] {
    return this.ranges.flatMap((_, range) => (this.#running.some((one) => one.acknowledges(range)) ? [] : [range]));
  }

  /**
   * Whether agents alone can mend this: each knows of its own nodes only. Of a shard of which nothing runs nobody knows
   * what the disks of all hold; and where primaries ended on several machines and the others are no majority, nobody
   * knows that all of them ended.
   */
  isForAgents(unserved: readonly number[]): boolean {
    const serving = this.ranges.length - unserved.length;
    const machines = new Set(unserved.map((range) => this.#lastOwner.get(range)));
    const isRunning = unserved.every((range) => this.#running.some(({ identity }) => identity.shard === range));
    return isRunning && (serving > this.ranges.length / 2 || machines.size === 1);
  }
  /** By shard, the machine of the node that owned it last. */
  readonly #lastOwner = new Map<number, string>();

  /** Agents act by themselves here, and the engine's is not there, or has only just come: nobody could stop it. */
  #isLoose({ identity }: Engine): boolean {
    if (this.#mind.agents === null) return false;
    const { guardedSince } = this.machineOf(identity.machine);
    return guardedSince === null || this.now - guardedSince < AGENT_START_MS;
  }

  /** A client writes there: it must not be told OK by a primary that others may take over from. */
  wrote(engine: Engine): void {
    const machine = this.machineOf(engine.identity.machine);
    const isolatedSince = this.#isolatedSince.get(machine.name) ?? this.now;
    const since = Math.max(isolatedSince, machine.rosterAt, this.oneOwner.ownedAt(engine));
    const forMs = this.now - since;
    if (forMs < STOPPED_MS || !this.#isIsolated(machine) || this.#isLoose(engine) || !this.#hasGuardedCopy(engine))
      return;
    this.violate(
      'stops_alone',
      `${this.nameOf(engine.id)} takes writes ${Math.round(forMs)} ms after its machine had no lease any more`,
    );
  }

  #hasGuardedCopy({ id, identity }: Engine): boolean {
    return this.machineOf(identity.machine).roster.databases.some(({ nodes }) => {
      const own = nodes.find((node) => node.id === id);
      return own && nodes.some(({ shard, machine }) => shard === own.shard && machine !== own.machine);
    });
  }

  /** Since when each machine has had no lease, as far as the network goes. */
  readonly #isolatedSince = new Map<string, number>();
  /** By machine and voter, when the one could last ask the other. */
  readonly #reachedAt = new Map<string, number>();

  #sampleIsolation(): void {
    for (const machine of this.machines) {
      this.#noteReached(machine);
      if (!this.#isIsolated(machine)) this.#isolatedSince.delete(machine.name);
      else if (!this.#isolatedSince.has(machine.name)) this.#isolatedSince.set(machine.name, this.now);
    }
  }

  #noteReached({ name, roster }: Machine): void {
    const [here, network] = [agentOf(name), this.network];
    for (const { machine } of roster.voters.voters) {
      const there = agentOf(machine);
      const isOpen = network.isOpen(here, there) && network.isOpen(there, here) && !this.machineOf(machine).down;
      if (machine === name || isOpen) this.#reachedAt.set(`${name} ${machine}`, this.now);
    }
  }

  /** It has reached no majority of the voters within the time of a lease, by its own list of them. */
  #isIsolated({ name, roster }: Machine): boolean {
    const { voters } = roster.voters;
    if (voters.length < FEWEST_VOTERS || !voters.some(({ machine }) => machine === name)) return false;
    const since = this.now - LEASE_MS / SLOWEST_CLOCK;
    const reached = voters.filter(({ machine }) => (this.#reachedAt.get(`${name} ${machine}`) ?? 0) >= since);
    return reached.length < majorityOf(voters.length);
  }

  #guardWorld(): GuardWorld | null {
    const { agents } = this.#mind;
    if (!agents) return null;
    this.timeline.every(SAMPLE_MS, SAMPLE_MS, () => {
      this.#sampleIsolation();
      return true;
    });
    const { timeline, network } = this;
    const { engineAt, machineAt } = this.#surroundings;
    return {
      ...{ timeline, network, engineAt, machineAt, mind: agents },
      hasPower: (host) => this.#hasPower(host),
      doorOf: (name) => this.machineOf(name),
      note: (text) => this.note(text),
    };
  }

  #hasPower(host: string): boolean {
    return this.machines.find(({ address }) => address === host)?.down === false;
  }

  /** The record as the latest control plane knew it. */
  get #record() {
    this.#lastRecord = this.#control?.database(DATABASE) ?? this.#lastRecord;
    return this.#lastRecord;
  }
  #lastRecord: ReturnType<ControlProcess['database']>;

  #nodes(): Node[] {
    return this.machines.flatMap(({ nodes }) => [...nodes.values()]);
  }

  #identityOf(id: string, machine: Machine): NodeIdentity | null {
    const assignment = this.#record?.nodes.find((node) => node.id === id);
    if (!assignment) return null;
    const { port, shard } = assignment;
    const { replicas } = this.scenario.wish;
    // The copy that is made in place of one that cannot run may take its machine.
    const together = [...machine.nodes.values()].some(
      ({ identity, engine }) =>
        `shard-${identity.shard + 1}` === shard && engine !== null && !this.#isTriedAgain(engine),
    );
    if (together && replicas < this.machines.length) {
      this.violate('copies_apart', `${this.nameOf(id)} is made on ${machine.name}, which has a copy of ${shard}`);
    }
    return { id, host: machine.address, port, machine: machine.name, shard: Number(shard.slice(6)) - 1 };
  }

  /** A copy that has died before was started once more, just now. */
  #isTriedAgain({ id }: Engine): boolean {
    const { times, at } = this.#starts.get(id)!;
    return times > 1 && this.now - at <= STARTS_MS;
  }

  /** A violation out of a callback of real code must not be taken for its error: it is remembered, and ends the run. */
  violation: Violation | null = null;

  violate(invariant: Violation['invariant'], detail: string): void {
    this.violation ??= new Violation(invariant, detail);
  }

  #spawn(identity: NodeIdentity, disk: Disk): Engine {
    this.#pids += 1;
    const engine = new Engine(identity, disk, this.#surroundings, this.#pids);
    this.#engines.set(`${identity.host}:${identity.port}`, engine);
    this.#starts.set(identity.id, { times: (this.#starts.get(identity.id)?.times ?? 0) + 1, at: this.now });
    this.#running = [...this.#engines.values()];
    const { log } = engine.replication;
    const role = engine.role === 'primary' ? 'a primary' : `a replica of ${this.nameOf(engine.primaryId!)}`;
    this.note(
      `${this.nameOf(identity.id)} starts as ${role}, epoch ${engine.configEpoch}, ${log.length} writes on its disk`,
    );
    return engine;
  }

  #ended(node: Node, how: Ending): void {
    const { id, host, port, shard } = node.identity;
    const engine = this.#engines.get(`${host}:${port}`);
    this.#engines.delete(`${host}:${port}`);
    this.#running = [...this.#engines.values()];
    if (!engine && how !== 'removed') return;
    const held = engine?.replication.held ?? [readLog(node.disk)];
    if (how === 'crash') this.#hit(node, held);
    if (how === 'ended') this.note(`${this.nameOf(id)} is ended by its agent`);
    for (const log of held) {
      const unwanted = this.#record?.deleting !== false;
      this.#judge(shard, log, unwanted ? 'unwanted' : how === 'crash' ? how : null, `${this.nameOf(id)}: ${how}`);
    }
  }

  /**
   * What its log does not keep for certain it has lost: a snapshot promises nothing, and of a log that is flushed once a
   * second power that was lost may have taken the end.
   */
  #hit({ identity, disk }: Node, held: readonly (readonly number[])[]): void {
    const flushed = disk.conf['appendfsync'] === 'always' || !this.machineOf(identity.machine).down;
    const kept = new Set(logsEveryWrite(disk.conf) && flushed ? disk.aof : []);
    for (const log of held)
      this.ledger.hit(
        identity.id,
        log.filter((write) => !kept.has(write)),
      );
  }

  /** Nobody may take the place of one that could still take writes. */
  #hasStopped(winner: Engine, cause: Cause): void {
    const forced = cause === 'force' || cause === 'takeover';
    if (!forced || this.#mind.agents === null) return;
    const { shard } = winner.identity;
    const other = this.#running.find(
      (engine) => engine !== winner && engine.takesWrites(shard) && !this.#isLoose(engine),
    );
    if (other)
      this.violate('lease_kept', `${this.nameOf(winner.id)} takes the place of ${this.nameOf(other.id)} by ${cause}`);
  }

  #judge(range: number, log: readonly number[], why: 'crash' | 'unwanted' | null, what: string): void {
    const lost = this.ledger.dropped(range, log, why, this.now);
    if (lost.length === 0) return;
    if (this.acknowledgements > 0) {
      this.violate(
        'acknowledged',
        `${what}, and with it ${lost.length} writes that ${this.acknowledgements} replicas had`,
      );
      return;
    }
    const ages = lost.map((write) => this.now - this.ledger.writes[write]!.at);
    this.violate(
      'last_copy',
      `${what}, and with it the last copy of ${lost.length} replicated writes, acknowledged ${Math.round(Math.min(...ages))} to ${Math.round(Math.max(...ages))} ms before`,
    );
  }

  /** All that is held of a shard's data: in memory, and in logs on disk. A snapshot promises nothing. */
  *#copiesOf(range: number): Generator<readonly number[]> {
    for (const { identity, engine, disk } of this.#nodes()) {
      if (identity.shard !== range) continue;
      if (engine?.alive) yield* engine.replication.held;
      else if (logsEveryWrite(disk.conf)) yield disk.aof;
    }
  }

  #makeSurroundings(): Surroundings {
    const { timeline, network, ranges } = this;
    return {
      timeline,
      network,
      random: this.#random.fork(),
      ranges,
      engineAt: (host, port) => this.#engines.get(`${host}:${port}`) ?? null,
      aclMarkOnDisk: ({ id }) => this.#nodes().find(({ identity }) => identity.id === id)?.disk.aclMark ?? null,
      machineAt: (host) => this.machines.find(({ address }) => address === host)?.name ?? null,
      dropped: (engine, log, why) => this.#judge(engine.identity.shard, log, null, `${this.nameOf(engine.id)}: ${why}`),
      owns: (engine, cause) => {
        this.note(
          `${this.nameOf(engine.id)} owns slots by ${cause}, epoch ${engine.configEpoch}, ${engine.replication.log.length} writes`,
        );
        this.#lastOwner.set(engine.identity.shard, engine.identity.machine);
        this.#hasStopped(engine, cause);
        this.oneOwner.owns(engine, cause);
        if (cause === 'election' || engine.replication.wasInStream) this.#tailIsLost(engine, cause);
        if (cause === 'disk' && engine.replication.log.length === 0) this.#startedEmpty(engine);
      },
      replicated: (primary) => this.ledger.replicated(primary),
      writtenAt: (id) => this.ledger.writes[id]!.at,
      unflushed: (writes) => {
        for (const id of writes) this.ledger.writes[id]!.exposed = true;
      },
    };
  }

  /** What a new owner lacks though it was in the stream is the price of asynchronous replication, unless a fellow had it. */
  #tailIsLost(winner: Engine, cause: Cause): void {
    const known = new Set(winner.replication.log);
    for (const { identity, engine: fellow } of this.#nodes()) {
      if (cause === 'election' || !fellow?.alive || fellow === winner || identity.shard !== winner.identity.shard)
        continue;
      if (fellow.replication.wasInStream) for (const id of fellow.replication.log) known.add(id);
    }
    this.ledger.expose(winner.identity.shard, known);
  }

  #startedEmpty(engine: Engine): void {
    for (const { identity, engine: other, disk } of this.#nodes()) {
      if (identity.shard !== engine.identity.shard || identity.id === engine.id) continue;
      const log = other?.alive ? other.replication.log : readLog(disk);
      // What comes out of the network while the process starts nobody could have known of.
      const isNews = other?.alive === true && this.now - other.replication.emptyUntil < NEWS_MS;
      if (log.length === 0 || isNews) continue;
      const where = other?.alive ? 'in memory' : 'on disk';
      this.violate(
        'never_empty',
        `${this.nameOf(engine.id)} starts empty while ${this.nameOf(identity.id)} has ${log.length} writes ${where}`,
      );
    }
  }

  #recorded({ kind, message, node, details }: NewEvent): void {
    if (kind === 'step_done') this.stepsDone.push({ kind: String(details?.['step']), target: node ?? DATABASE });
    this.note(kind.startsWith('step_') ? `step: ${message}` : `${kind}: ${message}`);
    if (kind === 'pass_failed') this.violate('no_defect', message);
  }
}
