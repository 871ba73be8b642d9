/** Valkeeper as what is compared: a fleet of its own, a database, and `db update --shards`. */

import type { Pace } from '../../src/domain/spec.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { adminOf, templatesOf } from '../support/cli-cluster.ts';
import { Fleet } from '../support/fleet.ts';
import type { Address } from '../support/formation.ts';
import type { Stage } from '../support/stage.ts';
import { Nodes } from './nodes.ts';
import type { System, Target } from './system.ts';

const ADDRESS_BASE = '127.0.74.11';
const DATABASE = 'main';
/** Of one command, in seconds: whatever it takes is measured. */
const PATIENCE = '3600';

/** The fleet with its database of three shards, a replica each, for so much data; gone when the stage is. */
export async function startFleet(stage: Stage, memory: string): Promise<{ fleet: Fleet; status: DatabaseStatus }> {
  const fleet = new Fleet(ADDRESS_BASE);
  stage.after(() => fleet[Symbol.asyncDispose]());
  await fleet.up();
  await fleet.run('db', 'update', DATABASE, '--memory', memory);
  return { fleet, status: await fleet.untilReady(DATABASE) };
}

/** What apps log in with. */
export const passwordIn = async (fleet: Fleet): Promise<string | null> =>
  (await fleet.client.password(DATABASE)).password;

export class Valkeeper implements System {
  readonly nodes: Nodes;
  readonly target: Target;
  readonly #fleet: Fleet;

  private constructor(fleet: Fleet, nodes: Nodes, target: Target) {
    this.nodes = nodes;
    this.target = target;
    this.#fleet = fleet;
  }

  static async start(stage: Stage, memory: string, pace: Pace, way: Target['way']): Promise<Valkeeper> {
    const { fleet } = await startFleet(stage, memory);
    await fleet.run('db', 'update', DATABASE, '--pace', pace);
    const status = await fleet.untilReady(DATABASE);
    const nodes = new Nodes(adminOf(templatesOf(fleet, status)[0]!));
    stage.after(() => nodes.close());
    const { endpoints, clusterEndpoints } = status;
    const addresses = (way === 'endpoint' ? endpoints : clusterEndpoints).map(({ host, port }) => ({ host, port }));
    return new Valkeeper(fleet, nodes, { way, addresses, password: await passwordIn(fleet) });
  }

  async addresses(): Promise<Address[]> {
    const { shards } = await this.#fleet.untilReady(DATABASE);
    return shards.flatMap(({ primary, replicas }) => [primary!, ...replicas]).map(({ host, port }) => ({ host, port }));
  }

  async change(shards: number): Promise<void> {
    await this.#fleet.run('db', 'update', DATABASE, '--shards', `${shards}`, '--timeout', PATIENCE);
  }
}
