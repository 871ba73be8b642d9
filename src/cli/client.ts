/** A small typed client of the API. Built on node:http because loading fetch costs more than a whole command. */
import type { IncomingMessage } from 'node:http';
import { type ErrorDocument, fromErrorDocument, ValkeeperError } from '../domain/errors.ts';
import type { Event } from '../domain/event.ts';
import { API_PREFIX } from '../protocol/prefix.ts';
import type { RouteAnswer, RouteCall, RouteKey } from '../protocol/routes.ts';
import { type Endpoint, queryText, type Texts } from './endpoint.ts';
import type { EventQuery } from './event-reader.ts';
import { failureOf, type Transport, transportTo } from './transport.ts';

/** Longest wait for an answer, in milliseconds. */
const ANSWER_MS = 15_000;
/** Of what is measured first. */
const MEASURED_ANSWER_MS = 60_000;
/** Behind backups of any length, it waits for its turn. */
const TURN_MS = 3_600_000;
/** A stream of data that stops for so long is lost. */
const SILENCE_MS = 60_000;
/** All of a backup is read first. */
const BACKUP_ANSWER_MS = 3_600_000;
/** A restart of endpoints answers when the last successor has taken over. */
const RESTART_ANSWER_MS = 120_000;
/** A shutdown answers when every node has saved its data and stopped. */
const SHUTDOWN_ANSWER_MS = 300_000;

/** Every call throws what the API answered, not_running when nobody listens, no_answer when the answer stays away. */
export class Client {
  readonly #endpoint: Endpoint;
  readonly #transport: Transport;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#transport = transportTo(endpoint);
  }

  status = () => this.#call('GET /status', {});
  databases = () => this.#call('GET /databases', {});
  database = (name: string) => this.#call('GET /databases/{name}', { params: { name } });
  reshard = (name: string, body: RouteCall<'POST /databases/{name}/reshard'>['body']) =>
    this.#call('POST /databases/{name}/reshard', { params: { name }, body });
  rebalance = (name: string, body: RouteCall<'POST /databases/{name}/rebalance'>['body']) =>
    this.#call('POST /databases/{name}/rebalance', { params: { name }, body }, MEASURED_ANSWER_MS);
  hotspots = (name: string, query: RouteCall<'GET /databases/{name}/hotspots'>['query']) =>
    this.#call('GET /databases/{name}/hotspots', { params: { name }, query }, MEASURED_ANSWER_MS);
  createBackup = (name: string, body: RouteCall<'POST /databases/{name}/backups'>['body']) =>
    this.#call('POST /databases/{name}/backups', { params: { name }, body });
  backups = (query: RouteCall<'GET /backups'>['query']) => this.#call('GET /backups', { query }, MEASURED_ANSWER_MS);
  backup = (id: string, query: RouteCall<'GET /backups/{id}'>['query'] = {}) =>
    this.#call('GET /backups/{id}', { params: { id }, query }, MEASURED_ANSWER_MS);
  verifyBackup = (id: string, body: RouteCall<'POST /backups/{id}/verify'>['body'] = {}) =>
    this.#call('POST /backups/{id}/verify', { params: { id }, body }, BACKUP_ANSWER_MS);
  removeBackup = (id: string, query: RouteCall<'DELETE /backups/{id}'>['query'] = {}) =>
    this.#call('DELETE /backups/{id}', { params: { id }, query }, MEASURED_ANSWER_MS);
  backupSchedule = (name: string) => this.#call('GET /databases/{name}/backup-schedule', { params: { name } });
  setBackupSchedule = (name: string, body: RouteCall<'PUT /databases/{name}/backup-schedule'>['body']) =>
    this.#call('PUT /databases/{name}/backup-schedule', { params: { name }, body });
  removeBackupSchedule = (name: string) => this.#call('DELETE /databases/{name}/backup-schedule', { params: { name } });
  setArchive = (name: string, body: RouteCall<'PUT /databases/{name}/archive'>['body']) =>
    this.#call('PUT /databases/{name}/archive', { params: { name }, body }, MEASURED_ANSWER_MS);
  turnArchiveOff = (name: string) =>
    this.#call('DELETE /databases/{name}/archive', { params: { name } }, MEASURED_ANSWER_MS);
  archives = () => this.#call('GET /archives', {});
  archive = (archive: string) => this.#call('GET /archives/{archive}', { params: { archive } }, MEASURED_ANSWER_MS);
  removeArchive = (archive: string) =>
    this.#call('DELETE /archives/{archive}', { params: { archive } }, BACKUP_ANSWER_MS);
  restore = (body: RouteCall<'POST /restores'>['body']) => this.#call('POST /restores', { body }, BACKUP_ANSWER_MS);
  explain = (name: string) => this.#call('GET /databases/{name}/explain', { params: { name } });
  failovers = (name: string) => this.#call('GET /databases/{name}/failovers', { params: { name } });
  create = (body: RouteCall<'POST /databases'>['body']) => this.#call('POST /databases', { body });
  delete = (name: string) => this.#call('DELETE /databases/{name}', { params: { name } });
  update = (name: string, body: RouteCall<'PATCH /databases/{name}/spec'>['body']) =>
    this.#call('PATCH /databases/{name}/spec', { params: { name }, body });
  /** Creates it or makes it this; only if its generation is still the one that was looked at, 0 for none. */
  put = (name: string, body: RouteCall<'PUT /databases/{name}/spec'>['body'], generation: number) =>
    this.#call('PUT /databases/{name}/spec', { params: { name }, body }, ANSWER_MS, { 'if-match': `"${generation}"` });
  password = (name: string, user?: string) =>
    this.#call('GET /databases/{name}/password', { params: { name }, query: user === undefined ? {} : { user } });
  authorities = () => this.#call('GET /authorities', {});
  plan = (body: RouteCall<'POST /plans'>['body']) => this.#call('POST /plans', { body });
  switchOver = (name: string, shard: string, to?: string) =>
    this.#call('POST /databases/{name}/shards/{shard}/switchover', {
      params: { name, shard },
      body: to === undefined ? {} : { to },
    });
  takeOver = (name: string, shard: string, body: RouteCall<'POST /databases/{name}/shards/{shard}/takeover'>['body']) =>
    this.#call('POST /databases/{name}/shards/{shard}/takeover', { params: { name, shard }, body });
  restartEndpoints = (body: RouteCall<'POST /endpoints/restart'>['body']) =>
    this.#call('POST /endpoints/restart', { body }, RESTART_ANSWER_MS);
  machines = () => this.#call('GET /machines', {});
  machine = (name: string) => this.#call('GET /machines/{name}', { params: { name } });
  drain = (name: string) => this.#call('POST /machines/{name}/drain', { params: { name } });
  resume = (name: string) => this.#call('POST /machines/{name}/resume', { params: { name } });
  removeMachine = (name: string, query: RouteCall<'DELETE /machines/{name}'>['query'] = {}) =>
    this.#call('DELETE /machines/{name}', { params: { name }, query });
  label = (name: string, body: RouteCall<'PATCH /machines/{name}/labels'>['body']) =>
    this.#call('PATCH /machines/{name}/labels', { params: { name }, body });
  tokens = () => this.#call('GET /machine-tokens', {});
  createToken = (body: RouteCall<'POST /machine-tokens'>['body']) => this.#call('POST /machine-tokens', { body });
  revokeToken = (id: string) => this.#call('DELETE /machine-tokens/{id}', { params: { id } });
  events = (query: RouteCall<'GET /events'>['query']) => this.#call('GET /events', { query });
  log = (source: string, lines: number) => this.#call('GET /logs/{source}', { params: { source }, query: { lines } });
  shutDown = (body: { loseUnsavedData: boolean }) => this.#call('POST /shutdown', { body }, SHUTDOWN_ANSWER_MS);

  /** Events as they happen, without end, over lost connections too. @throws not_running when nobody listens any more */
  async *follow(query: EventQuery): AsyncGenerator<Event> {
    const { readEvents } = await import('./event-reader.ts');
    yield* readEvents(this.#endpoint, query);
  }

  /** A shard's RDB as it comes, with RDB_HEADERS before it. @throws what the API refuses */
  async rdb(name: string, shard: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { openStream } = await import('./open-stream.ts');
    const path = `/databases/${encodeURIComponent(name)}/shards/${encodeURIComponent(shard)}/rdb`;
    return openStream(this.#endpoint, { path, headMs: TURN_MS, silenceMs: SILENCE_MS, signal });
  }

  /** Calls a route of the API's table; the key, its only form at run time, is checked by the compiler. */
  async #call<K extends RouteKey>(
    key: K,
    input: RouteCall<K>,
    answerMs = ANSWER_MS,
    extra: Texts = {},
  ): Promise<RouteAnswer<K>> {
    const { params = {}, query, body } = input as { params?: Texts; query?: Texts; body?: unknown };
    const [method = '', template = ''] = key.split(' ');
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
    const { status, text } = await this.#exchange(method, path + queryText(query), body, answerMs, extra);
    const answer = this.#parse(text);
    if (status < 400) return answer as RouteAnswer<K>;
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

  #exchange(
    method: string,
    path: string,
    body: unknown,
    answerMs: number,
    extra: Texts,
  ): Promise<{ status: number; text: string }> {
    const { url, token } = this.#endpoint;
    const content = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      ...extra,
      authorization: `Bearer ${token}`,
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
    };
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const fail = (error: NodeJS.ErrnoException): void => reject(failureOf(error, this.#endpoint));
    const outgoing = this.#transport(url + API_PREFIX + path, { method, headers });
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
