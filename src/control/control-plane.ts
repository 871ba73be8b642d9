/** The control plane's public face: everything the API offers, and nothing else of this folder is for others. */
import type { Event } from '../domain/event.ts';
import type { FailoverRecord } from '../domain/failover.ts';
import type { PlacementExplanation } from '../domain/placement.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import type { TakeoverWish } from '../plan/takeover.ts';
import type {
  AuthoritiesDocument,
  CreateDatabase,
  FleetStatus,
  HotspotsDocument,
  LogDocument,
  PasswordDocument,
  PlanDocument,
  PlanRequest,
  RebalanceDocument,
  RebalanceWish,
  ReshardAction,
  RestartedEndpoints,
  SpecInput,
  SwitchoverDocument,
  TakeoverDocument,
} from '../protocol/api.ts';
import type { RestoreWish } from '../protocol/backup-api.ts';
import type { Archives } from './archives/archives.ts';
import type { Backups } from './backups/backups.ts';
import type { Exports } from './backups/exports.ts';
import type { BackupSchedules } from './backups/schedules.ts';
import type { Fleet } from './fleet.ts';
import type { JoinTokens } from './join-tokens.ts';

/** What may be asked about events; all of it optional. */
export interface EventQuery {
  database?: string | undefined;
  /** Only events after this number. */
  after?: number | undefined;
  limit?: number | undefined;
}

/** Which version of which spec. */
export interface SpecVersion {
  name: string;
  generation: number;
}

export type FleetControl = Pick<Fleet, 'statuses' | 'status' | 'drain' | 'resume' | 'remove' | 'label'>;

export interface ControlPlane {
  status(): FleetStatus;
  databases(): DatabaseStatus[];
  /** @throws database_not_found */
  database(name: string): DatabaseStatus;
  /** Stores the wish and returns at once; the database comes into being afterwards. @throws database_exists, invalid_value, invalid_name, refused kinds */
  createDatabase(request: CreateDatabase): Promise<DatabaseStatus>;
  /**
   * Marks it for deletion and returns at once.
   * @param allow sees the record that is about to be changed and throws to refuse
   * @throws database_not_found, what `allow` throws
   */
  deleteDatabase(name: string, allow?: (present: SpecVersion) => void): Promise<DatabaseStatus>;
  /**
   * Changes the spec and returns at once; the nodes take it afterwards. What is not said stays.
   * @param allow sees the record that is about to be changed and throws to refuse
   * @throws database_not_found, being_deleted, not_changeable, invalid_value, memory_in_use, no_room_to_grow, what `allow` throws
   */
  updateDatabase(name: string, input: SpecInput, allow?: (present: SpecVersion) => void): Promise<DatabaseStatus>;
  /**
   * Creates the database or changes it to this spec and returns at once; what is not said takes its default.
   * @param allow sees the version that is about to be changed, generation 0 of one to be, and throws to refuse
   * @throws what `createDatabase` and `updateDatabase` throw
   */
  putDatabase(name: string, input: SpecInput, allow?: (present: SpecVersion) => void): Promise<DatabaseStatus>;
  /**
   * Pauses, resumes or gives up the change of the number of shards that is under way, and returns at once.
   * @throws database_not_found, being_deleted, no_reshard, reshard_refused
   */
  reshard(name: string, wish: ReshardAction): Promise<DatabaseStatus>;
  /**
   * Gives every shard its share of the load or of the memory, by moving slots: measures, answers, and goes on afterwards.
   * @throws database_not_found, being_deleted, reshard_running, reshard_refused, no_load, data_does_not_fit
   */
  readonly backups: Pick<Backups, 'create' | 'list' | 'show' | 'verify' | 'remove'>;
  readonly exports: Pick<Exports, 'give'>;
  readonly archives: Pick<Archives, 'set' | 'turnOff' | 'show' | 'list' | 'remove'>;
  readonly backupSchedules: Pick<BackupSchedules, 'show' | 'set' | 'remove'>;
  /** @throws what `Restores.restore` throws */
  restore(wish: RestoreWish): Promise<DatabaseStatus>;
  rebalance(name: string, wish: RebalanceWish): Promise<RebalanceDocument>;
  /** Measures for so long which shards, slots and keys carry the load. @throws database_not_found, reshard_refused */
  hotspots(name: string, wish: { seconds: number; slots: number }): Promise<HotspotsDocument>;
  /** Which primaries were replaced, the latest first. @throws database_not_found */
  failoversOf(name: string): Promise<FailoverRecord[]>;
  /** Why its nodes are where they are, by a look of its own. @throws database_not_found */
  explain(name: string): Promise<PlacementExplanation>;
  /**
   * Lets a copy take the place of its shard's living primary, and returns at once.
   * @param to a machine or the beginning of a node's id
   * @throws database_not_found, being_deleted, shard_not_found, copy_not_found, switchover_refused
   */
  switchOver(name: string, shard: string, to?: string): Promise<SwitchoverDocument>;
  /**
   * Lets a copy take the place of a primary that nobody hears of, because its machine is off, as somebody says; returns
   * at once.
   * @throws database_not_found, being_deleted, shard_not_found, copy_not_found, machine_not_found, takeover_refused,
   * takeover_unconfirmed
   */
  takeOver(name: string, shard: string, wish: TakeoverWish): Promise<TakeoverDocument>;
  /** Whom clients with TLS must believe. @throws no_authority */
  authorities(): AuthoritiesDocument;
  /** @throws database_not_found, user_not_found */
  password(name: string, user: string): PasswordDocument;
  /** What would be executed; changes nothing. @throws what `createDatabase` and `updateDatabase` throw */
  plan(request: PlanRequest): Promise<PlanDocument>;
  /** The machines: what they are, and what may be asked of them. */
  readonly fleet: FleetControl;
  /** With which machines join. */
  readonly joinTokens: Pick<JoinTokens, 'create' | 'list' | 'revoke'>;
  /** Replaces the endpoint process of one machine, or of all that are connected. @throws machine_not_found, no_endpoint, agent_away, agent_timeout, endpoint_not_replaced */
  restartEndpoints(wish: { machine?: string | undefined; drainSeconds: number }): Promise<RestartedEndpoints>;
  events(query: EventQuery): Promise<Event[]>;
  /** Tells every event from now on, in order. Returns what ends it. */
  followEvents(listener: (event: Event) => void): () => void;
  /** Last lines of a log. Sources: `server`, a machine's name (its agent), a node id or a unique beginning of one. @throws log_not_found */
  log(source: string, lines: number): Promise<LogDocument>;
  /**
   * Stops every node and agent cleanly and keeps the data; resolves when all have stopped. The caller then ends the process.
   * @throws nothing_on_disk (refused) when a database keeps nothing on disk and `loseUnsavedData` is not set
   */
  shutDown(options: { loseUnsavedData: boolean }): Promise<void>;
}
