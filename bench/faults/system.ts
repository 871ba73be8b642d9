/** What faults are done to: Valkeeper's database, or an engine without it. The same faults for all of them. */

import type { SlotRange } from '../../src/domain/slots.ts';
import type { NodeConnection } from '../../src/valkey/connection.ts';
import type { Host } from '../../test/support/hosts.ts';
import type { Target } from './load-client.ts';

/** A process of the engine. */
export interface Node {
  id: string;
  pid: number;
  /** Place of its machine among the hosts. */
  machine: number;
  host: string;
  port: number;
}

export interface Shard {
  slots: readonly SlotRange[];
  primary: Node;
  replicas: readonly Node[];
}

export interface System {
  /** As the table names it. */
  readonly name: string;
  readonly hosts: readonly Host[];
  /** Where clients run. */
  readonly clientHost: Host;
  /** As they are now, once every node runs. */
  shards(): Promise<Shard[]>;
  /** How a client writes; `near` the machine it runs on itself, which is then the only one it names. */
  target(near?: number): Target;
  /** Machines that clients elsewhere depend on: they are not to be lost. */
  readonly spared: readonly number[];
  /** An administrator's connection to a node; closed by the caller. */
  admin(node: Node): NodeConnection;
  /** Brings back what does not come back by itself: a process that was killed. */
  revive(node: Node): Promise<void>;
  /** Starts again what ran on a machine before its power was cut. */
  powerOn(machine: number): Promise<void>;
  /** Until every copy is there and in sync, and nobody is left to be moved. `gone`: processes that have ended. */
  whole(gone: readonly number[]): Promise<void>;
}
