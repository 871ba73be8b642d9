/** A small typed client of the API. Built on node:http because loading fetch costs more than a whole command. */
import type { IncomingMessage } from 'node:http';
import { type ErrorDocument, fromErrorDocument, ValkeeperError } from '../domain/errors.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import {
  API_PREFIX,
  type CreateDatabase,
  type DatabaseList,
  type EventList,
  type FleetStatus,
  type LogDocument,
  type MachineList,
  type PasswordDocument,
  type PlanDocument,
  type PlanRequest,
} from '../protocol/api.ts';

// `import` reads every export of node:http, and one of them is a getter that loads a whole WebSocket client: 40 ms.
const { Agent, request } = process.getBuiltinModule('node:http');

/** Where the API of a data directory listens, and the token it wants. */
export interface Endpoint {
  dataDir: string;
  /** Such as `http://127.0.0.1:7420`. */
  url: string;
  token: string;
}

/** Longest wait for an answer, in milliseconds. */
const ANSWER_MS = 15_000;
/** A shutdown answers when every node has saved its data and stopped. */
const SHUTDOWN_ANSWER_MS = 300_000;

/** Every call throws what the API answered, not_running when nobody listens, no_answer when the answer stays away. */
export class Client {
  readonly #endpoint: Endpoint;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  status = (): Promise<FleetStatus> => this.#call('GET', '/status');
  databases = (): Promise<DatabaseList> => this.#call('GET', '/databases');
  database = (name: string): Promise<DatabaseStatus> => this.#call('GET', `/databases/${encodeURIComponent(name)}`);
  create = (wish: CreateDatabase): Promise<DatabaseStatus> => this.#call('POST', '/databases', wish);
  delete = (name: string): Promise<DatabaseStatus> => this.#call('DELETE', `/databases/${encodeURIComponent(name)}`);
  password = (name: string): Promise<PasswordDocument> =>
    this.#call('GET', `/databases/${encodeURIComponent(name)}/password`);
  plan = (wish: PlanRequest): Promise<PlanDocument> => this.#call('POST', '/plans', wish);
  machines = (): Promise<MachineList> => this.#call('GET', '/machines');
  events = (query: Record<string, string>): Promise<EventList> =>
    this.#call('GET', `/events?${new URLSearchParams(query)}`);
  log = (source: string, lines: number): Promise<LogDocument> =>
    this.#call('GET', `/logs/${encodeURIComponent(source)}?lines=${lines}`);
  shutDown = (options: { loseUnsavedData: boolean }): Promise<{ stopped: boolean }> =>
    this.#call('POST', '/shutdown', options, SHUTDOWN_ANSWER_MS);

  async #call<T>(method: string, path: string, body?: unknown, answerMs = ANSWER_MS): Promise<T> {
    const { status, text } = await this.#exchange(method, path, body, answerMs);
    const answer = this.#parse(text);
    if (status < 400) return answer as T;
    throw fromErrorDocument(answer as ErrorDocument);
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      const detail = 'what listens there is not Valkeeper';
      throw new ValkeeperError('no_answer', { url: this.#endpoint.url, detail }, { cause: error });
    }
  }

  #exchange(method: string, path: string, body: unknown, answerMs: number): Promise<{ status: number; text: string }> {
    const { url, token, dataDir } = this.#endpoint;
    const content = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
    };
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const fail = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'ECONNREFUSED') reject(new ValkeeperError('not_running', { dir: dataDir }, { cause: error }));
      else reject(new ValkeeperError('no_answer', { url, detail: error.message }, { cause: error }));
    };
    const outgoing = request(url + API_PREFIX + path, { method, headers, agent: this.#agent });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${answerMs / 1000} s`)), answerMs);
    outgoing.once('error', fail);
    outgoing.once('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', fail);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    outgoing.end(content);
    return promise.finally(() => clearTimeout(timer));
  }
}
