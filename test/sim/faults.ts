/** What goes wrong: each fault begins, and unless it is over at once, ends by itself or when all trouble ends. */
import type { NodeIdentity } from './engine/state.ts';
import type { Machine } from './machine.ts';
import { agentOf, CONTROL, isLocal, nodesOf } from './network.ts';
import type { Random } from './random.ts';
import type { FaultKind } from './scenario.ts';
import type { World } from './world.ts';

/** A cut of both directions, or of one, seen from the place that is named first. */
type Ways = 'both' | 'in' | 'out';

export class Faults {
  readonly #world: World;
  readonly #random: Random;
  readonly #kinds: readonly FaultKind[];
  /** Ends of faults that go on. */
  readonly #ends = new Set<() => void>();
  #over = false;

  constructor(world: World, random: Random, kinds: readonly FaultKind[]) {
    this.#world = world;
    this.#random = random;
    this.#kinds = kinds;
  }

  /** Lets faults come, `calmMs` apart on average, for `troubleMs`; then everything is mended and `done` is called. */
  begin(calmMs: number, troubleMs: number, done: () => void): void {
    const { timeline } = this.#world;
    const next = (): void => {
      timeline.after(this.#random.between(0, 2 * calmMs), () => {
        if (this.#over) return;
        this.#strike(this.#random.pick(this.#kinds));
        next();
      });
    };
    next();
    timeline.after(troubleMs, () => {
      this.#over = true;
      for (const end of [...this.#ends]) end();
      this.#world.note('all trouble is over');
      done();
    });
  }

  #strike(kind: FaultKind): void {
    const random = this.#random;
    const world = this.#world;
    const running = world.runningNodes();
    const machine = random.pick(world.machines);
    switch (kind) {
      case 'kill-primary':
        return this.#kill(running.filter(({ engine }) => engine?.role === 'primary').slice(0), 1);
      case 'kill-node':
        return this.#kill(running, 1);
      case 'kill-shard': {
        const shard = random.below(world.ranges.length);
        return this.#kill(
          running.filter(({ identity }) => identity.shard === shard),
          9,
        );
      }
      case 'kill-all':
        return this.#kill(running, running.length);
      case 'kill-agent':
        return this.#killAgent(machine, random.between(100, 5_000));
      case 'kill-control':
        return this.#killControl(random.between(50, 3_000));
      case 'lose-power':
        return this.#losePower(machine, random.between(500, 6_000));
      case 'restart-everything': {
        const downMs = random.between(500, 3_000);
        this.#killControl(downMs);
        for (const each of world.machines) this.#losePower(each, downMs * random.between(0.5, 2));
        return;
      }
      case 'stall-node':
        return this.#stall();
      case 'slow-link':
        return this.#slow();
      case 'cut-control-agent':
        return this.#cut(CONTROL, [agentOf(machine.name)], this.#duration());
      case 'cut-control-nodes':
        return this.#cut(CONTROL, [nodesOf(machine.name)], this.#duration());
      case 'cut-machines': {
        const other = random.pick(world.machines);
        if (other !== machine) this.#cut(nodesOf(machine.name), [nodesOf(other.name)], this.#duration());
        return;
      }
      case 'cut-hosts': {
        const other = random.pick(world.machines);
        if (other !== machine) this.#cutHost(machine, [other], this.#hostDuration(), false);
        return;
      }
      case 'isolate-host': {
        const others = world.machines.filter((other) => other !== machine);
        return this.#cutHost(machine, others, this.#hostDuration(), random.chance(0.8));
      }
      case 'lag-and-kill':
        return this.#lagAndKill(running.filter(({ engine }) => engine?.role === 'primary'));
      case 'lose-host':
        return this.#losePower(machine, this.#hostDuration());
      case 'stop-agents': {
        const forMs = random.between(500, 8_000);
        for (const each of world.machines) this.#killAgent(each, forMs * random.between(0.3, 1));
        return;
      }
      case 'isolate-machine': {
        const others = world.machines.filter((other) => other !== machine).map(({ name }) => nodesOf(name));
        const durationMs = this.#duration();
        this.#cut(nodesOf(machine.name), [...others, CONTROL], durationMs);
        return this.#cut(agentOf(machine.name), [CONTROL], durationMs);
      }
    }
  }

  /** All that is on a machine, cut off from others. */
  #cutHost(machine: Machine, others: readonly Machine[], forMs: number, control: boolean, ways = this.#ways()): void {
    const there = [...others.flatMap(({ name }) => [agentOf(name), nodesOf(name)]), ...(control ? [CONTROL] : [])];
    const text = `${machine.name} from ${[...others.map(({ name }) => name), ...(control ? [CONTROL] : [])].join(', ')}`;
    this.#cutAll([agentOf(machine.name), nodesOf(machine.name)], there, forMs, text, ways);
  }

  /** A replica falls behind; then its primary ends, and the other copies may be out of reach of those who decide. */
  #lagAndKill(primaries: ReturnType<World['runningNodes']>): void {
    const [world, random] = [this.#world, this.#random];
    if (primaries.length === 0) return;
    const primary = random.pick(primaries);
    const here = world.machineOf(primary.identity.machine);
    const isFellow = ({ identity }: { identity: NodeIdentity }): boolean =>
      identity.shard === primary.identity.shard && identity.machine !== here.name;
    const [late, ...others] = random.shuffled(world.runningNodes().filter(isFellow));
    if (!late) return;
    const lagMs = random.between(300, 3_000);
    const [from, to] = [nodesOf(here.name), nodesOf(late.identity.machine)];
    this.#cutAll([from], [to], lagMs + random.between(5, 3_000), `${from} and ${to}`, 'out');
    world.timeline.after(lagMs, () => {
      if (this.#over) return;
      const far = random.chance(0.5) ? others.map(({ identity }) => world.machineOf(identity.machine)) : [];
      if (far.length > 0) this.#cutHost(here, far, random.between(1_000, 4_000), false, 'both');
      if (random.chance(0.7)) this.#kill([primary], 1);
      else this.#losePower(here, this.#hostDuration());
    });
  }

  #hostDuration(): number {
    return this.#random.chance(0.7) ? this.#random.between(500, 6_000) : this.#random.between(6_000, 30_000);
  }

  #duration(): number {
    return this.#random.chance(0.6) ? this.#random.between(200, 3_000) : this.#random.between(3_000, 12_000);
  }

  #kill(nodes: ReturnType<World['runningNodes']>, count: number): void {
    for (const node of this.#random.shuffled(nodes).slice(0, count)) {
      this.#world.note(`fault: ${this.#world.nameOf(node.identity.id)} is killed`);
      this.#world.machineOf(node.identity.machine).kill(node);
    }
  }

  #killAgent(machine: Machine, forMs: number): void {
    if (!machine.agentUp) return;
    this.#world.note(`fault: the agent of ${machine.name} is killed`);
    machine.killAgent();
    this.#lasting(forMs, () => {
      this.#world.note(`the agent of ${machine.name} is back`);
      machine.startAgent();
    });
  }

  #killControl(forMs: number): void {
    if (!this.#world.killControl()) return;
    this.#world.note('fault: the control plane is killed');
    this.#lasting(forMs, () => {
      this.#world.note('the control plane is back');
      this.#world.startControl();
    });
  }

  #losePower(machine: Machine, forMs: number): void {
    if (machine.down) return;
    const { network } = this.#world;
    this.#world.note(`fault: ${machine.name} loses power`);
    machine.losePower();
    const others = this.#world.machines.filter((other) => other !== machine);
    const there = [CONTROL, ...others.flatMap(({ name }) => [agentOf(name), nodesOf(name)])];
    const here = [agentOf(machine.name), nodesOf(machine.name)];
    const links = there.flatMap((place) =>
      here.flatMap((own): [string, string][] => [
        [own, place],
        [place, own],
      ]),
    );
    for (const [from, to] of links) network.cut(from, to);
    this.#lasting(forMs, () => {
      this.#world.note(`${machine.name} has power again`);
      for (const [from, to] of links) network.mend(from, to);
      machine.regainPower();
    });
  }

  #stall(): void {
    const engines = this.#world.engines();
    if (engines.length === 0) return;
    const engine = this.#random.pick(engines);
    const forMs = this.#random.between(100, 4_000);
    this.#world.note(`fault: ${this.#world.nameOf(engine.id)} hangs for ${Math.round(forMs)} ms`);
    engine.stall(forMs);
  }

  #slow(): void {
    const { machines, network } = this.#world;
    const places = [CONTROL, ...machines.flatMap(({ name }) => [agentOf(name), nodesOf(name)])];
    const from = this.#random.pick(places);
    const to = this.#random.pick(places);
    const delayMs = this.#random.pick([20, 200, 800, 2_000]);
    if (isLocal(from, to)) return;
    this.#world.note(`fault: ${from} > ${to} takes up to ${delayMs} ms`);
    network.setSlow(from, to, delayMs);
    this.#lasting(this.#duration(), () => network.setSlow(from, to, 0));
  }

  /** Both ways, or one way only. */
  #cut(here: string, there: readonly string[], forMs: number): void {
    const text = there.map((place) => `${here} and ${place}`).join(', ');
    this.#cutAll([here], there, forMs, text);
  }

  #ways(): Ways {
    return this.#random.pick(['both', 'both', 'out', 'in'] as const);
  }

  #cutAll(here: readonly string[], there: readonly string[], forMs: number, text: string, ways = this.#ways()): void {
    const { network } = this.#world;
    const links = here.flatMap((own) =>
      there.flatMap((place): [string, string][] => [
        ...(ways === 'in' ? [] : [[own, place] as [string, string]]),
        ...(ways === 'out' ? [] : [[place, own] as [string, string]]),
      ]),
    );
    const what = `${text}${ways === 'both' ? '' : `, one way: ${ways}`}`;
    this.#world.note(`fault: cut ${what}`);
    for (const [from, to] of links) network.cut(from, to);
    this.#lasting(forMs, () => {
      this.#world.note(`mended ${what}`);
      for (const [from, to] of links) network.mend(from, to);
    });
  }

  #lasting(forMs: number, end: () => void): void {
    const once = (): void => {
      if (this.#ends.delete(once)) end();
    };
    this.#ends.add(once);
    this.#world.timeline.after(forMs, once);
  }
}
