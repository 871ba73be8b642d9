/** What people ask of a database as a whole: that it be, be otherwise, or what would be done for it. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/event.ts';
import { isLoading } from '../domain/restore.ts';
import type { DatabaseSpec } from '../domain/spec.ts';
import { counted } from '../domain/template.ts';
import type { CreateDatabase, PlanDocument, PlanRequest, SpecInput } from '../protocol/api.ts';
import type { SpecVersion } from './control-plane.ts';
import type { Databases } from './databases.ts';
import { changesOf, describeChange, dryRun } from './dry-run.ts';
import type { Grants } from './grants.ts';
import type { Observer } from './observer.ts';
import { PlannedIds } from './planned-ids.ts';
import type { Reshards } from './reshards.ts';
import { changedSpec, isSameSpec, wholeSpec } from './update.ts';

/** Sees the record that is about to be changed, and throws to refuse. */
export type Allow = (present: SpecVersion) => void;

export interface SpecSurroundings {
  databases: Databases;
  grants: Grants;
  observer: Observer;
  reshards: Reshards;
  record: (event: NewEvent) => void;
  /** Something of what endpoints are to serve may have changed. */
  endpointsChanged: () => void;
  lookAfter: (database: string) => void;
  wake: (database: string) => void;
}

/** Its requests, but `plan`, run one after the other: what one was granted, the next must find in the records. */
export class SpecChanges {
  readonly #around: SpecSurroundings;
  readonly #plannedIds = new PlannedIds();

  constructor(around: SpecSurroundings) {
    this.#around = around;
  }

  /**
   * @param finish makes of the record what is to be stored
   * @throws what `ControlPlane.createDatabase` throws
   */
  async create(request: CreateDatabase, finish = (fresh: Database): Database => fresh): Promise<Database> {
    const { databases, endpointsChanged, grants, lookAfter, record } = this.#around;
    const fresh = await grants.newDatabase(request, (count) => this.#plannedIds.take(request.name, count));
    const database = finish(fresh);
    await databases.add(database);
    endpointsChanged();
    const { shards, replicas } = database.spec;
    const message = `${database.name} was asked for: ${counted(shards, 'shard')}, ${counted(replicas, 'replica')} each.`;
    record({ kind: 'database_created', severity: 'info', database: database.name, message });
    lookAfter(database.name);
    return database;
  }

  /** @throws what `ControlPlane.updateDatabase` throws */
  update(name: string, input: SpecInput, allow: Allow): Promise<Database> {
    const present = this.#around.databases.get(name);
    allow(present);
    return this.#change(present, changedSpec(present, input), allow);
  }

  /** @throws what `ControlPlane.putDatabase` throws */
  put(name: string, input: SpecInput, allow: Allow): Promise<Database> {
    const present = this.#around.databases.find(name);
    allow(present ?? { name, generation: 0 });
    if (!present) return this.create({ name, spec: input });
    return this.#change(present, changedSpec(present, wholeSpec(present, input)), allow);
  }

  async #change(present: Database, wish: DatabaseSpec, allow: Allow): Promise<Database> {
    const { databases, endpointsChanged, grants, observer, record, reshards, wake } = this.#around;
    const { name } = present;
    if (isLoading(present)) throw new ValkeeperError('restore_running', { name });
    const spec = await grants.granted(wish, present);
    if (isSameSpec(spec, present.spec)) return present;
    const ids = (count: number) => this.#plannedIds.take(name, count);
    const next = await reshards.change(present, spec, await observer.observe(present), ids);
    const database = await databases.change(name, (one) => {
      allow(one);
      return next(one);
    });
    endpointsChanged();
    const changes = changesOf(spec, present.spec).map(describeChange).join(', ');
    const message = `${name} was asked to change: ${changes}.`;
    record({ kind: 'database_changed', severity: 'info', database: name, message });
    wake(name);
    return database;
  }

  /** @throws what `ControlPlane.plan` throws */
  async plan({ name, spec, whole = false }: PlanRequest): Promise<PlanDocument> {
    const { databases, grants, observer, reshards } = this.#around;
    const present = databases.find(name);
    if (!present) {
      if (!spec) throw new ValkeeperError('database_not_found', { name });
      const database = await grants.newDatabase({ name, spec }, (count) => this.#plannedIds.show(name, count));
      return dryRun(database, undefined, await observer.observe(database));
    }
    const view = await observer.observe(present);
    if (!spec) return dryRun(present, present, view);
    const wanted = await grants.granted(changedSpec(present, whole ? wholeSpec(present, spec) : spec), present);
    if (isSameSpec(wanted, present.spec)) return dryRun(present, present, view);
    const next = await reshards.change(present, wanted, view, (count) => this.#plannedIds.show(name, count));
    const record = next(present);
    return dryRun(record, present, record.nodes === present.nodes ? view : await observer.observe(record));
  }
}
