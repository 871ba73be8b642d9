/** What every agent is told, so that it can go on by itself: what its endpoint serves, who votes, and what it guards. */
import type { Databases } from './databases.ts';
import { Endpoints } from './endpoints.ts';
import { Guards } from './guards.ts';
import type { Machines } from './machines.ts';
import type { TellerSurroundings } from './teller.ts';
import { type VoterRecord, Voters } from './voters.ts';

export class Telling {
  readonly endpoints: Endpoints;
  readonly #databases: Databases;
  readonly #all: readonly { forget(machine: string): void; changed(): void; close(): void }[];

  constructor(around: TellerSurroundings, databases: Databases, machines: Machines, record: VoterRecord) {
    this.#databases = databases;
    const all = { ...around, databases: () => databases.all() };
    this.endpoints = new Endpoints(all);
    const guards = new Guards(all);
    const voters = new Voters({ ...around, record, machines: () => machines.all() });
    this.#all = [this.endpoints, guards, voters];
    databases.changed = () => guards.changed();
    machines.changed = () => voters.changed();
  }

  /** A machine's agent came or went. */
  cameOrWent(machine: string): void {
    for (const teller of this.#all) {
      teller.forget(machine);
      teller.changed();
    }
  }

  /** Slots, primaries or copies of this database are, or may be, not where they were. */
  moved(name: string): void {
    const database = this.#databases.find(name);
    if (!database) return;
    this.endpoints.changed();
    this.endpoints.nudge(database.uid);
  }

  close(): void {
    for (const teller of this.#all) teller.close();
  }
}
