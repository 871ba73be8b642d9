/** The two ways to a database, each with its clients as an app would use them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { Address } from '../support/formation.ts';

export const WAYS = ['endpoint', 'cluster'] as const;
export type Way = (typeof WAYS)[number];

/** To each machine's endpoint. */
const PER_ENDPOINT = 4;
const CLUSTER_CLIENTS = 3;
const RECONNECT_MS = 20;

/** Nothing is sent a second time by the client: what becomes of each operation is the endpoint's doing. */
const ONE_TRY = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => RECONNECT_MS,
} as const;

/** What ioredis says of a command whose connection ended before its answer. */
const CONNECTION_CLOSED = 'Connection is closed.';

/** ioredis as it comes. It sends again by itself what its connection ended under: that is counted. */
export class CountingCluster extends Cluster {
  sentAgain = 0;

  override handleError(...args: Parameters<Cluster['handleError']>): void {
    if (args[0].message === CONNECTION_CLOSED) this.sentAgain += 1;
    super.handleError(...args);
  }
}

const secretOf = (password: string | null): { password?: string } => (password === null ? {} : { password });

const clientOf = ({ host, port }: Address, password: string | null): Redis =>
  quiet(new Redis({ ...ONE_TRY, ...secretOf(password), host, port }));

/** Some to each of these endpoints. */
export const endpointClients = (endpoints: readonly Address[], password: string | null): Redis[] =>
  endpoints.flatMap((endpoint) => Array.from({ length: PER_ENDPOINT }, () => clientOf(endpoint, password)));

/** Each finds all nodes by these. */
export const clusterClients = (nodes: readonly Address[], password: string | null): CountingCluster[] =>
  Array.from({ length: CLUSTER_CLIENTS }, () =>
    quiet(new CountingCluster([...nodes], { redisOptions: secretOf(password) })),
  );

export class Clients {
  readonly #endpoint: readonly Redis[];
  readonly #cluster: readonly CountingCluster[];
  /** For reading back. */
  readonly reader: Redis;
  readonly #turns: Record<Way, number> = { endpoint: 0, cluster: 0 };

  constructor({ endpoints, clusterEndpoints }: DatabaseStatus, password: string | null) {
    this.#endpoint = endpointClients(endpoints, password);
    this.#cluster = clusterClients(clusterEndpoints, password);
    this.reader = clientOf(endpoints[0]!, password);
  }

  /** One after the other. */
  next(way: Way): Redis | Cluster {
    const clients = way === 'endpoint' ? this.#endpoint : this.#cluster;
    this.#turns[way] += 1;
    return clients[this.#turns[way] % clients.length]!;
  }

  /** Resolves when all that go through endpoints have a connection, at the latest after so long. */
  async connected(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.#endpoint.some(({ status }) => status !== 'ready') && performance.now() < deadline)
      await sleep(RECONNECT_MS);
  }

  /** How many commands the cluster clients sent again because a connection had ended; it may have been applied before. */
  get sentAgain(): number {
    return this.#cluster.reduce((sum, one) => sum + one.sentAgain, 0);
  }

  close(): void {
    for (const client of [...this.#endpoint, ...this.#cluster, this.reader]) client.disconnect();
  }
}

/** Each command tells its own failure. */
function quiet<C extends Redis | Cluster>(client: C): C {
  client.on('error', () => {});
  return client;
}
