/** The machines of the fleet: which there are, what is wanted of each, and what may be asked of them. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/event.ts';
import { type MachineRecord, withLabels, zoneOf } from '../domain/machine.ts';
import type { MachineView } from '../domain/view.ts';
import { drainObstacles } from '../plan/drain.ts';
import { type RemovalWish, requireRemovable, withoutMachine } from '../plan/removal.ts';
import type { Clock } from '../platform/clock.ts';
import type { Hello } from '../protocol/agent-messages.ts';
import type { MachineStatus } from '../protocol/api.ts';
import type { AgentCaller } from './agent-caller.ts';
import type { Agents, Machine } from './agents.ts';
import type { Databases } from './databases.ts';
import { fleetView, machineEndpoint } from './fleet-view.ts';
import { admissionError } from './machine-admission.ts';
import type { Machines } from './machines.ts';

export interface FleetSurroundings {
  agents: Agents;
  machines: Machines;
  clock: Clock;
  databases: Pick<Databases, 'all' | 'change'>;
  record: (event: NewEvent) => void;
  /** What is wanted of a machine has changed. */
  changed: () => void;
}

export class Fleet {
  readonly #around: FleetSurroundings;
  readonly #startedAt: number;
  /** Machines that were found empty while they drain. */
  readonly #drained = new Set<string>();
  #latest: { madeOf: readonly unknown[]; views: readonly MachineView[] } | null = null;

  constructor(around: FleetSurroundings) {
    this.#around = around;
    this.#startedAt = around.clock.now();
  }

  /** Every machine there is, as the planner sees it. Made anew only when something of it has changed: each look asks. */
  views(): readonly MachineView[] {
    const { agents, machines, databases } = this.#around;
    const madeOf = [agents.machines(), databases.all(), machines.all()] as const;
    if (!this.#latest || madeOf.some((part, index) => part !== this.#latest!.madeOf[index])) {
      this.#latest = { madeOf, views: fleetView(...madeOf, this.#startedAt) };
    }
    return this.#latest.views;
  }

  statuses(): MachineStatus[] {
    const all = this.#around.databases.all();
    return this.views()
      .filter(({ state }) => state !== 'removed')
      .map((machine) => ({
        ...machine,
        since: new Date(machine.since).toISOString(),
        labels: this.#around.machines.find(machine.name)?.labels ?? {},
        nodes: nodesOn(machine.name, all).length,
        certificate: this.#certificate(machine.name),
        endpoint: machine.endpoint && machineEndpoint(machine.address, machine.endpoint, all),
      }));
  }

  /** @throws machine_not_found */
  status(name: string): MachineStatus {
    const found = this.statuses().find((machine) => machine.name === name);
    if (!found) throw new ValkeeperError('machine_not_found', { name });
    return found;
  }

  /** What it shows of itself, as its agent says, or as it was issued last. */
  #certificate(name: string): MachineStatus['certificate'] {
    const issued = this.#around.machines.find(name)?.certificate;
    if (!issued) return null;
    const told = this.#around.agents.machines().find((machine) => machine.name === name)?.certificate;
    const { serial, notAfter } = told ?? issued;
    return { serial, expiresAt: new Date(notAfter).toISOString(), problem: told?.problem ?? null };
  }

  /** Why an agent is not let in; null when it is. */
  admits(hello: Pick<Hello, 'machine' | 'address'>, caller: AgentCaller): ValkeeperError | null {
    const { machines, clock } = this.#around;
    return admissionError(hello, caller, machines.all(), clock.now());
  }

  /** Its agent has connected: a machine that is new gets its record, of the others what has changed is kept. */
  async seen({ name, address, zone, tls, memoryBytes }: Machine): Promise<void> {
    const { machines, clock } = this.#around;
    const told: Told = { address, zone, tls, memoryBytes };
    if (machines.find(name)) {
      await machines.change(name, (record) => (isSame(record, told) ? record : { ...record, ...told }));
      return;
    }
    const joinedAt = new Date(clock.now()).toISOString();
    await machines.add({ name, ...told, state: 'active', labels: {}, joinedAt });
  }

  /**
   * Its nodes move away: new copies elsewhere first, then primaries, then what is left is removed.
   * @throws machine_not_found, drain_refused when some copy would have no place
   */
  async drain(name: string): Promise<MachineStatus> {
    const { record, databases } = this.#around;
    if (this.status(name).state === 'draining') return this.status(name);
    const obstacles = drainObstacles(name, databases.all(), this.views());
    if (obstacles.length > 0) throw new ValkeeperError('drain_refused', { name, obstacles: obstacles.join(' ') });
    await this.#become(name, 'draining');
    const message = `${name} is being emptied: its nodes move to other machines.`;
    record({ kind: 'machine_draining', severity: 'info', machine: name, message });
    return this.status(name);
  }

  /** It takes nodes again; those that have not moved away stay. @throws machine_not_found */
  async resume(name: string): Promise<MachineStatus> {
    if (this.status(name).state === 'active') return this.status(name);
    await this.#become(name, 'active');
    const message = `${name} takes nodes again.`;
    this.#around.record({ kind: 'machine_resumed', severity: 'info', machine: name, message });
    return this.status(name);
  }

  /**
   * A machine without nodes, or one that is off for good: what it had is given up, and nobody waits for its vote.
   * @throws machine_not_found, what `requireRemovable` throws
   */
  async remove(name: string, wish: RemovalWish = NOT_OFF): Promise<MachineStatus> {
    const { agents, clock, databases, machines, record } = this.#around;
    const last = this.status(name);
    const gone = new Set(this.views().flatMap((one) => (one.state === 'removed' ? [one.name] : [])));
    requireRemovable(last, wish, databases.all(), gone);
    for (const database of databases.all()) {
      await databases.change(database.name, (one) => withoutMachine(one, name, clock.now()));
    }
    await this.#become(name, 'removed');
    // The agent of a local machine is the server's own, which stops it when it stops.
    if (machines.find(name)?.certificate) await agents.dismiss(name, new ValkeeperError('machine_removed', { name }));
    const how = wish.isOff ? ': it is off for good, it was said' : '';
    const message = `${name} is no longer part of the fleet${how}.`;
    record({ kind: 'machine_removed', severity: wish.isOff ? 'warning' : 'info', machine: name, message });
    return { ...last, state: 'removed' };
  }

  /** @throws machine_not_found, invalid_value */
  async label(name: string, change: Readonly<Record<string, string | null>>): Promise<MachineStatus> {
    const before = this.status(name);
    const after = await this.#around.machines.change(name, (record) => ({
      ...record,
      labels: withLabels(record.labels, change),
    }));
    if (zoneOf(after) !== before.zone) {
      const message = `${name} is in the zone ${zoneOf(after)} now, was in ${before.zone}.`;
      this.#around.record({ kind: 'machine_zone', severity: 'info', machine: name, message });
    }
    this.#around.changed();
    return this.status(name);
  }

  /** Tells of each machine that is being emptied, once, that it is empty. */
  noteDrained(): void {
    const { machines, databases, record } = this.#around;
    for (const { name, state } of machines.all()) {
      if (state !== 'draining') this.#drained.delete(name);
      else if (!this.#drained.has(name) && nodesOn(name, databases.all()).length === 0) {
        this.#drained.add(name);
        record({ kind: 'machine_drained', severity: 'info', machine: name, message: `${name} has no nodes any more.` });
      }
    }
  }

  async #become(name: string, state: MachineRecord['state']): Promise<void> {
    await this.#around.machines.change(name, (record) => ({ ...record, state }));
    this.noteDrained();
    this.#around.changed();
  }
}

const NOT_OFF: RemovalWish = { isOff: false, loseData: false };

const nodesOn = (machine: string, databases: readonly Database[]): unknown[] =>
  databases.flatMap(({ nodes, retired }) => [...nodes, ...retired]).filter((node) => node.machine === machine);

type Told = Pick<MachineRecord, 'address' | 'zone' | 'tls' | 'memoryBytes'>;

const isSame = (record: MachineRecord, told: Told): boolean =>
  (Object.keys(told) as (keyof Told)[]).every((key) => record[key] === told[key]);
