/** All databases of an endpoint in one worker: made, changed and ended as the configuration says. */
import type { Server } from 'node:net';
import type { EndpointConfig, EndpointDatabase, EndpointStatus } from '../protocol/endpoint-messages.ts';
import type { AskOthers, WorkerQuestion } from './home.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import type { ListeningHandle } from './read-socket.ts';
import { Service } from './service.ts';

export interface EndpointOptions {
  limits?: Partial<Limits>;
  nextClientId: () => number;
  askOthers: AskOthers;
}

interface Served {
  service: Service;
  port: number;
  problem: string | null;
}

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #served = new Map<string, Served>();
  readonly #startedAt = Date.now();
  #zone = '';
  #draining = false;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  /**
   * Serves what the configuration says, and nothing else. Listening sockets that another process holds are given by
   * their port; the others are opened. Resolves when each listens or is known not to.
   */
  async serve(config: EndpointConfig, given: ReadonlyMap<number, ListeningHandle> = new Map()): Promise<void> {
    this.#zone = config.zone;
    const wanted = new Map(config.databases.map((database) => [database.uid, database]));
    for (const [uid, { service }] of this.#served) {
      if (wanted.has(uid)) continue;
      this.#served.delete(uid);
      service.close();
    }
    await Promise.all(config.databases.map((database) => this.#serveOne(database, config.address, given)));
  }

  async #serveOne(
    database: EndpointDatabase,
    address: string,
    given: ReadonlyMap<number, ListeningHandle>,
  ): Promise<void> {
    const { limits, nextClientId, askOthers } = this.#options;
    let served = this.#served.get(database.uid);
    if (served) served.service.update(database);
    else {
      const all = { ...DEFAULT_LIMITS, ...limits };
      const service = new Service({ database, limits: all, zone: this.#zone, nextClientId, askOthers });
      served = { service, port: 0, problem: null };
      this.#served.set(database.uid, served);
    }
    if (served.port === database.port && served.problem === null) return;
    served.service.stopListening();
    served.port = database.port;
    served.problem = await listening(served.service, address, database.port, given.get(database.port));
  }

  services(): Service[] {
    return [...this.#served.values()].map(({ service }) => service);
  }

  find(uid: string): Service | undefined {
    return this.#served.get(uid)?.service;
  }

  /** The listening sockets, by port. */
  servers(): Map<number, Server> {
    const open = [...this.#served.values()].filter(({ service }) => service.server !== null);
    return new Map(open.map(({ service, port }) => [port, service.server!]));
  }

  /** A hint that slots of this database have moved. */
  look(uid: string): void {
    this.find(uid)?.topology.look();
  }

  status(): EndpointStatus {
    return {
      pid: process.pid,
      startedAt: this.#startedAt,
      draining: this.#draining,
      databases: [...this.#served.values()].map(({ service, port, problem }) => {
        const { name, uid } = service.database;
        return { name, uid, port, clients: service.peers.size, problem };
      }),
    };
  }

  answer(question: WorkerQuestion): string {
    const service = this.find(question.database);
    return service ? service.answerOthers(question) : '';
  }

  /** Takes no new clients, lets each end between two commands, and ends what is left after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    this.#draining = true;
    for (const { service } of this.#served.values()) service.stopListening();
    const deadline = performance.now() + drainMs;
    while (performance.now() < deadline) {
      const left = this.services().reduce((sum, service) => sum + service.drain(), 0);
      if (left === 0) break;
      await new Promise((resolve) => setTimeout(resolve, DRAIN_STEP_MS));
    }
    this.close();
  }

  close(): void {
    for (const { service } of this.#served.values()) service.close();
    this.#served.clear();
  }
}

const DRAIN_STEP_MS = 20;

/** Listens, or says why not. */
function listening(
  service: Service,
  host: string,
  port: number,
  given: ListeningHandle | undefined,
): Promise<string | null> {
  return new Promise((resolve) => {
    const server = service.listen((one) => {
      one.once('listening', () => resolve(null));
      one.once('error', ({ message }) => resolve(message));
      if (given) one.listen(given);
      else one.listen({ host, port, backlog: 1024 });
    });
    server.on('error', () => {});
  });
}
