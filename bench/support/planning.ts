/** How long planning takes on a large fleet: databases placed one after the other, and looked at when all is well or not. */
import type { Database } from '../../src/domain/database.ts';
import type { DatabaseSpec } from '../../src/domain/spec.ts';
import { DEFAULT_SPEC } from '../../src/domain/spec.ts';
import type { DatabaseView, MachineView } from '../../src/domain/view.ts';
import { place, reservedBytesPerNode } from '../../src/plan/placement.ts';
import { plan } from '../../src/plan/plan.ts';
import { databaseOn, emptyView, fleet, killed } from '../../test/support/worlds.ts';
import { readyView } from './ready-view.ts';

const GIB = 1024 ** 3;
const ZONES = 5;
/** The most shards that one database may have: see `SPEC_LIMITS`. */
const SHARDS_EACH = 500;
const SPEC: DatabaseSpec = { ...DEFAULT_SPEC, shards: SHARDS_EACH, replicas: 2, memoryBytes: 500 * GIB };

/** One measurement, all in milliseconds. */
export interface PlanningTimes {
  /** Where the nodes of all databases go, one after the other; and of one of them, on average. */
  placeMs: number;
  placeOneMs: number;
  /** A pass over each database, together: nothing to do; a primary of each dead; nothing made yet. */
  readyMs: number;
  failoverMs: number;
  newMs: number;
}

interface Made {
  database: Database;
  fresh: DatabaseView;
  ready: DatabaseView;
}

/** A fleet with databases of 500 shards and two replicas each, two shards a machine. */
export class PlanningScene {
  readonly machines: readonly MachineView[];
  readonly #count: number;
  readonly #made: Made[] = [];

  constructor(machines: number) {
    this.machines = fleet(machines, 64 * GIB).map((machine, index) => ({ ...machine, zone: `zone-${index % ZONES}` }));
    this.#count = Math.ceil((machines * 2) / SHARDS_EACH);
    let now = this.machines;
    for (let index = 0; index < this.#count; index += 1) {
      const database = databaseOn(now, SPEC);
      now = reserved(now, database);
      const fresh = emptyView(database, now);
      this.#made.push({ database, fresh, ready: readyView(database, now) });
    }
  }

  get shards(): number {
    return this.#count * SHARDS_EACH;
  }

  /** @throws Error when a plan is not what it must be: then the time of it means nothing */
  measure(): PlanningTimes {
    const placeMs = timed(() => {
      let now = this.machines;
      for (const { database } of this.#made) {
        const placement = place(SPEC, now);
        if ('refused' in placement) throw new Error(placement.refused);
        now = reserved(now, database);
      }
    });
    return {
      placeMs,
      placeOneMs: placeMs / this.#made.length,
      readyMs: passes(
        this.#made.map((one) => [reached(one.database), one.ready]),
        false,
      ),
      failoverMs: passes(
        this.#made.map(({ database, ready }) => [reached(database), killed(ready, database.nodes[0]!.id)]),
        true,
      ),
      newMs: passes(
        this.#made.map(({ database, fresh }) => [database, fresh]),
        true,
      ),
    };
  }
}

/** It was ready once. */
const reached = (database: Database): Database => ({ ...database, observedGeneration: database.generation });

function passes(views: readonly (readonly [Database, DatabaseView])[], hasSteps: boolean): number {
  return timed(() => {
    for (const [database, view] of views) {
      const { steps, problems } = plan(database, view);
      if (steps.length > 0 !== hasSteps) throw new Error(`${steps.length} steps: ${JSON.stringify(problems[0])}`);
    }
  });
}

function reserved(machines: readonly MachineView[], { nodes, spec }: Database): MachineView[] {
  const bytes = reservedBytesPerNode(spec);
  const counts = new Map<string, number>();
  for (const { machine } of nodes) counts.set(machine, (counts.get(machine) ?? 0) + 1);
  return machines.map((one) => ({ ...one, reservedBytes: one.reservedBytes + bytes * (counts.get(one.name) ?? 0) }));
}

function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}
