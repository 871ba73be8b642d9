/**
 * What the endpoints of all machines are to serve: told to every agent when it comes and whenever it changes, again
 * until it has been heard. And a nudge for them all when a database's primaries or copies have changed places.
 */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { isLoading } from '../domain/restore.ts';
import { ANY_PORT, requiredAcknowledgements } from '../domain/spec.ts';
import type { AgentOperation, AgentRequests } from '../protocol/agent-messages.ts';
import type { EndpointDatabase, WriterPace } from '../protocol/endpoint-messages.ts';
import { sha256 } from './acl.ts';
import type { Machine } from './agents.ts';
import { Teller, type TellerSurroundings } from './teller.ts';

const NUDGE_TIMEOUT_MS = 2_000;
/** A successor that takes over needs a moment. */
const REPLACE_TIMEOUT_MS = 20_000;

export interface EndpointsOptions extends TellerSurroundings {
  databases: () => readonly Database[];
}

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #teller: Teller<'serve_endpoint'>;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#teller = new Teller({
      ...options,
      operation: 'serve_endpoint',
      wanted: (machines) => {
        const databases = endpointDatabases(options.databases(), machines);
        return () => ({ databases });
      },
    });
  }

  /** Its agent came or went: whatever it had heard, it is told anew. */
  forget(machine: string): void {
    this.#teller.forget(machine);
  }

  /** Something of what is to be served may have changed. */
  changed(): void {
    this.#teller.changed();
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
    this.#tellAll('nudge_endpoint', { database }); // lost ones do no harm: endpoints look by themselves, too
  }

  /** Clients may write so fast to these slots, for `PACE_HOLDS_MS`. */
  pace(pace: WriterPace): void {
    this.#tellAll('pace_endpoint', pace); // told again as long as it is to hold, and over by itself when it is not
  }

  /** Nobody waits for what becomes of it. */
  #tellAll<O extends AgentOperation>(operation: O, args: AgentRequests[O]['args']): void {
    const { agents } = this.#options;
    for (const { name, connected } of agents.machines()) {
      if (connected) agents.request(name, operation, args, NUDGE_TIMEOUT_MS).catch(() => {});
    }
  }

  /** The longest time of late, in milliseconds, that any endpoint held back commands that the node took at last. */
  async waited(database: string, node: NodeId): Promise<number> {
    const { agents } = this.#options;
    const present = agents.machines().filter(({ connected }) => connected);
    const waits = present.map(({ name }) =>
      agents.request(name, 'endpoint_waited', { database, node }, NUDGE_TIMEOUT_MS).then(
        ({ waitedMs }) => waitedMs,
        () => 0, // one that cannot say it now will not be asked again
      ),
    );
    return Math.max(0, ...(await Promise.all(waits)));
  }

  close(): void {
    this.#teller.close();
  }
}

/** What an endpoint needs to know of the databases, in the order of their names. */
function endpointDatabases(databases: readonly Database[], machines: readonly Machine[]): EndpointDatabase[] {
  const zones = new Map(machines.map(({ name, zone }) => [name, zone]));
  return databases
    .filter((one) => !one.deleting && one.spec.port !== ANY_PORT && !isLoading(one))
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
