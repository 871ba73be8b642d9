/** All databases of an endpoint in one worker: made, changed and ended as the configuration says. */
import type { Server } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { TlsFiles } from '../domain/tls-directives.ts';
import {
  type EndpointConfig,
  type EndpointDatabase,
  type EndpointStatus,
  PACE_HOLDS_MS,
  type WriterPace,
} from '../protocol/endpoint-messages.ts';
import { MachineCredentials } from '../trust/credential-files.ts';
import type { AskOthers, WorkerQuestion } from './home.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { speaksTls } from './node-tls.ts';
import type { ListeningHandle } from './read-socket.ts';
import { Service } from './service.ts';

export interface EndpointOptions {
  limits?: Partial<Limits>;
  nextClientId: () => number;
  askOthers: AskOthers;
  /** Is told of errors that should not exist. */
  onDefect?: (error: unknown) => void;
}

interface Served {
  service: Service;
  port: number;
  problem: string | null;
}

type Refused = EndpointStatus['databases'][number];

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #served = new Map<string, Served>();
  #refused = new Map<string, Refused>();
  readonly #startedAt = Date.now();
  #zone = '';
  #draining = false;
  #credentials: MachineCredentials | null = null;
  /** Why there are none, if there should be. */
  #credentialsProblem: string | null = null;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  /**
   * Serves what the configuration says, and nothing else. Listening sockets that another process holds are given by
   * their port; the others are opened. Resolves when each listens or is known not to.
   */
  async serve(config: EndpointConfig, given: ReadonlyMap<number, ListeningHandle> = new Map()): Promise<void> {
    this.#zone = config.zone;
    this.#readCredentials(config.tls);
    this.#refused = new Map(config.databases.flatMap((database) => this.#refusalOf(database)));
    const databases = config.databases.filter(({ uid }) => !this.#refused.has(uid));
    const wanted = new Set(databases.map(({ uid }) => uid));
    for (const [uid, { service }] of this.#served) {
      if (wanted.has(uid)) continue;
      this.#served.delete(uid);
      service.close();
    }
    await Promise.all(databases.map((database) => this.#serveOne(database, config.address, given)));
  }

  /** Those of before stay when the files cannot be read. */
  #readCredentials(files: TlsFiles | null): void {
    this.#credentialsProblem = null;
    const present = files !== null && isDeepStrictEqual(this.#credentials?.files, files) ? this.#credentials : null;
    try {
      if (present) present.reload();
      else this.#credentials = files && new MachineCredentials(files);
    } catch (error) {
      this.#credentials = present;
      this.#credentialsProblem = (error as Error).message;
    }
  }

  /** Why a database is not served, if it is not. */
  #refusalOf(database: EndpointDatabase): [uid: string, Refused][] {
    const { name, uid, port } = database;
    const needs = speaksTls(database) ? 'its nodes speak TLS' : 'it takes clients with TLS only';
    if (this.#credentials !== null || (!speaksTls(database) && database.tls !== 'required')) return [];
    const problem = this.#credentialsProblem ?? `${needs}, and this machine has no credentials`;
    return [[uid, { name, uid, port, clients: 0, problem }]];
  }

  async #serveOne(
    database: EndpointDatabase,
    address: string,
    given: ReadonlyMap<number, ListeningHandle>,
  ): Promise<void> {
    const { limits, nextClientId, askOthers, onDefect } = this.#options;
    let served = this.#served.get(database.uid);
    if (served) served.service.update(database);
    else {
      const all = { ...DEFAULT_LIMITS, ...limits };
      const service = new Service({
        ...{ database, limits: all, zone: this.#zone, nextClientId, askOthers, onDefect },
        credentials: () => this.#credentials?.current ?? null,
      });
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

  /** How fast clients may write to slots that are on their way, in this worker. */
  pace({ database, slots, bytesPerSecond }: WriterPace): void {
    const pacing = this.find(database)?.pacing;
    if (bytesPerSecond === null) pacing?.end();
    else pacing?.begin(slots, bytesPerSecond, PACE_HOLDS_MS);
  }

  status(): EndpointStatus {
    return {
      pid: process.pid,
      startedAt: this.#startedAt,
      draining: this.#draining,
      databases: [
        ...[...this.#served.values()].map(({ service, port, problem }) => {
          const { name, uid } = service.database;
          return { name, uid, port, clients: service.peers.size, problem };
        }),
        ...this.#refused.values(),
      ],
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
    const silentMs = Math.min(SILENT_MS, drainMs / 2);
    while (performance.now() < deadline) {
      const left = this.services().reduce((sum, service) => sum + service.drain(silentMs), 0);
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
/** A client that has said nothing for so long is ended at once; another one with its next reply. */
const SILENT_MS = 1_000;

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
