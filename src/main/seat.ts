/** A server's place among the servers of its fleet: alone, where it leads always, or one of several. */
import type { RequestOptions } from 'node:https';
import type { Follower, Standing } from '../api/follower.ts';
import { createFollower } from '../api/follower.ts';
import { Agents } from '../control/agents.ts';
import type { ControlPlane } from '../control/control-plane.ts';
import { createControlPlane, type RunningControlPlane } from '../control/create-control-plane.ts';
import { currentPlane } from '../control/current-plane.ts';
import type { Joining } from '../control/joining.ts';
import { Leadership } from '../control/leader.ts';
import type { ControlPlaneOptions } from '../control/plane-options.ts';
import type { AgentHost } from '../control/serve-agents.ts';
import { Servers } from '../control/servers.ts';
import { staleRecords } from '../control/stale-records.ts';
import { Terms } from '../control/terms.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { FleetStatus, ServersStatus } from '../protocol/api.ts';
import { openEventLog } from '../store/events.ts';
import type { Store } from '../store/store.ts';
import { clientOptions } from '../trust/credentials.ts';

type PlaneOptions = Omit<ControlPlaneOptions, 'store' | 'events' | 'agents' | 'servers' | 'mayAct'>;

export interface Seat {
  readonly control: ControlPlane;
  /** What the API needs where there are several servers. */
  readonly follower: Follower | undefined;
  /** Whom an agent meets that comes now. */
  agentHost(): AgentHost;
  /** Where machines join. @throws not_leader when it is not here */
  joining(): Joining;
  /** To be called once the API listens: others find it at this URL. */
  begin(url: string): void;
  /** Databases are not looked after any more; agents and nodes go on. */
  close(): Promise<void>;
}

/** The only server: its control plane is there before it listens. */
export async function seatAlone(store: Store, options: PlaneOptions): Promise<Seat> {
  const agents = new Agents(options.clock);
  const control = await createControlPlane({ ...options, store, agents, events: await openEventLog(store) });
  return {
    control,
    follower: undefined,
    agentHost: () => ({ agents, term: null, servers: [] }),
    joining: () => control.entrance.joining,
    begin: () => {},
    close: async () => {
      agents.close();
      await control.close();
    },
  };
}

export interface SharedSeatOptions extends PlaneOptions {
  store: Store;
  /** Id of the fleet. */
  fleet: string;
  leaseMs: number;
}

/** Pings of agents within the time of a lease: so they notice a leader that is silent when another may lead. */
const PINGS_IN_LEASE = 3;

/** A status waits so long for the store, in ms. */
const STATUS_MS = 1_500;

/** One of several servers: it begins to try to lead when it has a URL. */
export const seatShared = (options: SharedSeatOptions): Seat => new SharedSeat(options);

interface Begun {
  url: string;
  leadership: Leadership;
  servers: Servers;
  terms: Terms;
}

class SharedSeat implements Seat {
  readonly control: ControlPlane;
  readonly follower: Follower;
  readonly #options: SharedSeatOptions;
  readonly #startedAt: string;
  #begun: Begun | null = null;

  constructor(options: SharedSeatOptions) {
    this.#options = options;
    this.#startedAt = new Date(options.clock.now()).toISOString();
    this.control = currentPlane(
      () => this.#plane(),
      () => Promise.reject(new ValkeeperError('several_servers')),
    );
    this.follower = createFollower(this.#standing());
  }

  begin(url: string): void {
    const { entrance, leaseMs, log, store, clock, version, fleet: _, ...plane } = this.#options;
    // A machine that joins by any of them is sent on; it is told of all, since one may be away then.
    const joinUrls = (): string[] => {
      const [own = [], all] = [entrance?.joinUrls(), this.#urls().filter((one) => one.startsWith('https:'))];
      return own.length === 0 ? [] : [...new Set([...own, ...all])];
    };
    const leadership = new Leadership({ store, self: { name: url, api: url }, leaseMs, log });
    const changed = (): void => {
      this.#begun?.terms.leading?.agents.announce(this.#urls());
    };
    const servers = new Servers({ store, self: { url, version }, log, clock, changed });
    const planeOptions = {
      ...{ ...plane, version, servers: () => this.#status() },
      ...(entrance ? { entrance: { ...entrance, joinUrls } } : {}),
    };
    const terms = new Terms({
      ...{ store, leadership, log, clock, url, plane: planeOptions },
      changed: () => this.follower.changed(),
    });
    leadership.on('leader', () => this.follower.changed());
    this.#begun = { url, leadership, servers, terms };
  }

  agentHost(): AgentHost {
    const leading = this.#begun?.terms.leading;
    if (!leading) return { leader: this.#leader() };
    const { fleet, leaseMs } = this.#options;
    const term = { fleet, number: leading.term.number };
    return { agents: leading.agents, term, servers: this.#urls(), pingMs: leaseMs / PINGS_IN_LEASE };
  }

  joining(): Joining {
    return this.#plane().entrance.joining;
  }

  /** @throws not_leader */
  #plane(): RunningControlPlane {
    const leading = this.#begun?.terms.leading;
    if (!leading) throw new ValkeeperError('not_leader');
    return leading.plane;
  }

  async close(): Promise<void> {
    if (!this.#begun) return;
    const { leadership, servers, terms } = this.#begun;
    await Promise.all([leadership.close(), servers.close()]);
    await terms.close();
  }

  /** The API of another that leads. A key of ours is of a process before this one, which has died. */
  #leader(): string | null {
    const leader = this.#begun?.leadership.leader ?? null;
    return leader === null || leader.api === this.#begun?.url ? null : leader.api;
  }

  #urls(): string[] {
    return this.#begun?.servers.all.map(({ url }) => url) ?? [];
  }

  #status(): ServersStatus {
    const leading = this.#begun?.terms.leading ?? null;
    return {
      store: 'etcd',
      storeProblem: this.#begun?.servers.storeProblem ?? null,
      term: leading?.term.number ?? null,
      leader: leading ? (this.#begun?.url ?? null) : this.#leader(),
      all: [...(this.#begun?.servers.all ?? [])],
    };
  }

  #standing(): Standing {
    const { clock, credentials, dataDir, engineVersion, store, version } = this.#options;
    const records = staleRecords(store, clock);
    const status = async (): Promise<FleetStatus> => {
      // Asked most of all when the store is gone: then it says that, soon, instead of failing late.
      const databases = await Promise.race([
        records.databases().catch(() => []),
        clock.sleep(STATUS_MS).then(() => []),
      ]);
      return {
        ...{ version, pid: process.pid, startedAt: this.#startedAt, dataDir, engineVersion, stopping: false },
        machines: [],
        databases: databases.map(({ name, state }) => ({ name, state })),
        looks: { count: 0, totalMs: 0 },
        servers: this.#status(),
      };
    };
    return {
      leads: () => this.#begun?.terms.leading != null,
      leader: () => this.#leader(),
      tls: () => (credentials ? (clientOptions(credentials(), { kind: 'control' }) as RequestOptions) : {}),
      records: { ...records, status },
    };
  }
}
