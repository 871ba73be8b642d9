/**
 * What the endpoints of all machines are to serve: told to every agent when it comes and whenever it changes, again
 * until it has been heard. And a nudge for them all when a database's primaries or copies have changed places.
 */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { ANY_PORT, requiredAcknowledgements } from '../domain/spec.ts';
import type { Clock, EndTimer } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { EndpointDatabase } from '../protocol/endpoint-messages.ts';
import { sha256 } from './acl.ts';
import type { Agents, Machine } from './agents.ts';

/** Several changes in a row are told as one. */
const GATHER_MS = 10;
const RETRY_MS = 1_000;
const SERVE_TIMEOUT_MS = 10_000;
const NUDGE_TIMEOUT_MS = 2_000;
/** A successor that takes over needs a moment. */
const REPLACE_TIMEOUT_MS = 20_000;

export interface EndpointsOptions {
  agents: Agents;
  clock: Clock;
  log: Logger;
  databases: () => readonly Database[];
}

export class Endpoints {
  readonly #options: EndpointsOptions;
  /** What each machine's agent has heard, as JSON; nothing of one that has just come. */
  readonly #heard = new Map<string, string>();
  #endTimer: EndTimer | null = null;
  #telling = false;
  #again = false;
  #closed = false;

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  /** Its agent came or went: whatever it had heard, it is told anew. */
  forget(machine: string): void {
    this.#heard.delete(machine);
  }

  /** Something of what is to be served may have changed. */
  changed(): void {
    this.#tellIn(GATHER_MS);
  }

  /**
   * Replaces the endpoint process of this machine, or of all that are connected and run one: one after the other, since
   * any machine's address works, so clients may go to another meanwhile.
   * @throws machine_not_found, no_endpoint, agent_away, agent_timeout, endpoint_not_replaced
   */
  async replace(machine: string | undefined, drainMs: number): Promise<{ machines: string[] }> {
    const { agents } = this.#options;
    const known = agents.machines();
    if (machine !== undefined && known.every(({ name }) => name !== machine)) {
      throw new ValkeeperError('machine_not_found', { name: machine });
    }
    const machines = known
      .filter(({ name, connected, endpoint }) =>
        machine === undefined ? connected && endpoint?.pid != null : name === machine,
      )
      .map(({ name }) => name);
    for (const name of machines) await agents.request(name, 'replace_endpoint', { drainMs }, REPLACE_TIMEOUT_MS);
    return { machines };
  }

  /** Slots, primaries or copies of this database are not where they were. */
  nudge(database: string): void {
    const { agents } = this.#options;
    for (const { name, connected } of agents.machines()) {
      if (!connected) continue;
      // Lost ones do no harm: endpoints look by themselves, too.
      agents.request(name, 'nudge_endpoint', { database }, NUDGE_TIMEOUT_MS).catch(() => {});
    }
  }

  close(): void {
    this.#closed = true;
    this.#endTimer?.();
  }

  #tellIn(delayMs: number): void {
    if (this.#closed) return;
    if (this.#telling) {
      this.#again = true;
      return;
    }
    this.#endTimer?.();
    this.#endTimer = this.#options.clock.timer(delayMs, () => void this.#tell());
  }

  async #tell(): Promise<void> {
    const { agents } = this.#options;
    this.#telling = true;
    const machines = agents.machines();
    const databases = endpointDatabases(this.#options.databases(), machines);
    const text = JSON.stringify(databases);
    const outcomes = await Promise.all(
      machines.filter(({ connected }) => connected).map(({ name }) => this.#tellOne(name, databases, text)),
    );
    this.#telling = false;
    const again = this.#again;
    this.#again = false;
    if (again) this.#tellIn(GATHER_MS);
    else if (outcomes.includes(false)) this.#tellIn(RETRY_MS);
  }

  async #tellOne(machine: string, databases: readonly EndpointDatabase[], text: string): Promise<boolean> {
    if (this.#heard.get(machine) === text) return true;
    const { agents, log } = this.#options;
    try {
      await agents.request(machine, 'serve_endpoint', { databases }, SERVE_TIMEOUT_MS);
      this.#heard.set(machine, text);
      return true;
    } catch (error) {
      const isAway = agents.machines().every(({ name, connected }) => name !== machine || !connected);
      if (!isAway && !this.#closed)
        log.warn({ machine, err: error }, 'An agent did not take what its endpoint is to serve.');
      return isAway;
    }
  }
}

/** What an endpoint needs to know of the databases, in the order of their names. */
function endpointDatabases(databases: readonly Database[], machines: readonly Machine[]): EndpointDatabase[] {
  const zones = new Map(machines.map(({ name, zone }) => [name, zone]));
  return databases
    .filter(({ deleting, spec }) => !deleting && spec.port !== ANY_PORT)
    .map(({ name, uid, spec, secrets, nodes }) => ({
      name,
      uid,
      port: spec.port,
      users: [
        { name: 'default', passwordSha256: secrets.password === null ? null : sha256(secrets.password) },
        ...spec.users.map((user) => ({ name: user.name, passwordSha256: sha256(secrets.users[user.name]!) })),
      ],
      adminPassword: secrets.adminPassword,
      read: spec.read,
      acknowledgements: requiredAcknowledgements(spec),
      clusterView: spec.clusterView,
      tls: spec.tls,
      nodes: nodes.map(({ id, machine, host, port, tls }) => {
        const zone = zones.get(machine) ?? '';
        return { id, machine, host, port, tls, zone };
      }),
    }));
}
