/** One exchange with one etcd member over HTTP or HTTPS, and what came of it as a value. */
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Answer } from './etcd-wire.ts';

/** Certificates in PEM. */
export interface TlsOptions {
  /** Who may have signed the members' certificates; without it, whom Node trusts. */
  ca?: string | undefined;
  /** Ours, where etcd asks for one, with its key. */
  cert?: string | undefined;
  key?: string | undefined;
}

/** What came of a request. */
export type Reply<T> =
  | { kind: 'answer'; value: T }
  /** etcd said no. */
  | { kind: 'refused'; code: number; message: string }
  /** Nothing that could be used. `sent`: a member may have had the request, and may still carry it out. */
  | { kind: 'lost'; sent: boolean; problem: string };

/** gRPC's codes, which etcd's gateway passes on; the last is our own. */
export const CODE = { invalid: 3, notFound: 5, denied: 7, exhausted: 8, unauthenticated: 16, tooLarge: -1 } as const;

/** Codes of failures after which another member, or the same one later, may well answer. */
const PASSING = new Set([1, 2, 4, 10, 13, 14]);
const NO_SPACE = /database space exceeded/;

/** Connections to one member at a time; one of them is the watch. */
const MAX_SOCKETS = 16;
/** An answer that is larger is refused, in bytes. */
const MAX_ANSWER_BYTES = 256 * 1024 ** 2;
const NEWLINE = 0x0a;

interface Exchange {
  /** So long nothing may be heard, in ms. */
  silenceMs: number;
  /** When all must be there, on the clock of `performance.now()`. */
  deadlineMs: number;
  /** Proves who we are; null without users. */
  token: string | null;
}

interface FollowOptions extends Omit<Exchange, 'deadlineMs'> {
  onLine: (line: string) => void;
  signal: AbortSignal;
}

export class Transport {
  readonly #agents: Readonly<Record<string, http.Agent>>;

  /** @throws Error when the certificates or the key cannot be read */
  constructor(tls: TlsOptions) {
    const kept = { keepAlive: true, maxSockets: MAX_SOCKETS };
    const secureContext = createSecureContext(tls);
    this.#agents = { 'http:': new http.Agent(kept), 'https:': new https.Agent({ ...kept, secureContext }) };
  }

  /** Asks and reads the whole answer. */
  post<T = Answer>(member: string, path: string, body: object, exchange: Exchange): Promise<Reply<T>> {
    const { silenceMs, deadlineMs, token } = exchange;
    return new Promise((resolve) => {
      let sent = false;
      const request = this.#request(member, path, token, () => {
        sent = true;
      });
      const silence = setTimeout(() => request.destroy(silent(silenceMs)), silenceMs);
      const end = (reply: Reply<T>): void => {
        clearTimeout(silence);
        resolve(reply);
      };
      const lose = (error: NodeJS.ErrnoException): void => end({ kind: 'lost', sent, problem: describe(error) });
      request.on('error', lose).on('response', (response) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        response.on('error', lose).on('data', (chunk: Buffer) => {
          if (performance.now() >= deadlineMs) request.destroy(new Error('its answer takes too long'));
          silence.refresh();
          chunks.push(chunk);
          sizeBytes += chunk.length;
          if (sizeBytes <= MAX_ANSWER_BYTES) return;
          end({ kind: 'refused', code: CODE.tooLarge, message: 'the answer is too large' });
          request.destroy();
        });
        response.on('end', () => end(read<T>(response, Buffer.concat(chunks))));
      });
      request.end(JSON.stringify(body));
    });
  }

  /** Asks and hands on each line of the answer, until it ends or `signal` aborts; resolves to why. */
  follow(member: string, path: string, body: object, options: FollowOptions): Promise<string> {
    const { silenceMs, token, onLine, signal } = options;
    return new Promise((resolve) => {
      const request = this.#request(member, path, token, () => {});
      // Later silence means that nothing changes.
      const silence = setTimeout(() => request.destroy(silent(silenceMs)), silenceMs);
      const end = (why: string): void => {
        clearTimeout(silence);
        signal.removeEventListener('abort', abort);
        request.destroy();
        resolve(why);
      };
      const abort = (): void => end('it was ended here');
      const lose = (error: NodeJS.ErrnoException): void => end(describe(error));
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort);
      request.on('error', lose).on('response', (response) => {
        clearTimeout(silence);
        const lines = new LineSplitter(onLine);
        response.on('error', lose).on('data', (chunk: Buffer) => {
          if (signal.aborted) return;
          try {
            lines.push(chunk);
          } catch (error) {
            lose(error as Error);
          }
        });
        response.on('end', () => end(`its watch ended (HTTP ${response.statusCode})`));
      });
      request.end(JSON.stringify(body));
    });
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #request(member: string, path: string, token: string | null, onConnected: () => void): ClientRequest {
    const url = new URL(path, member);
    const isSecure = url.protocol === 'https:';
    const headers = { 'content-type': 'application/json', ...(token === null ? {} : { authorization: token }) };
    const options = { method: 'POST', headers, agent: this.#agents[url.protocol] };
    const request = isSecure ? https.request(url, options) : http.request(url, options);
    request.once('socket', (socket) => {
      if (request.reusedSocket) onConnected();
      else socket.once(isSecure ? 'secureConnect' : 'connect', onConnected);
    });
    return request;
  }
}

/** Cuts what comes into lines. */
class LineSplitter {
  readonly #onLine: (line: string) => void;
  #parts: Buffer[] = [];
  #sizeBytes = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...this.#parts, chunk.subarray(start, end)]).toString();
      this.#parts = [];
      this.#sizeBytes = 0;
      start = end + 1;
      if (line.trim() !== '') this.#onLine(line);
    }
    this.#parts.push(chunk.subarray(start));
    this.#sizeBytes += chunk.length - start;
    if (this.#sizeBytes > MAX_ANSWER_BYTES) throw new Error(`a line of over ${MAX_ANSWER_BYTES} bytes`);
  }
}

interface Failure {
  error: string | { grpc_code?: number; message?: string };
  code?: number;
}

function read<T>({ statusCode = 0 }: IncomingMessage, bytes: Buffer): Reply<T> {
  let body: T | Failure;
  try {
    body = JSON.parse(bytes.toString()) as T | Failure;
  } catch {
    // etcd always answers in JSON: this is another program, or half an answer.
    return { kind: 'lost', sent: true, problem: `it does not answer as etcd does (HTTP ${statusCode})` };
  }
  if (typeof body !== 'object' || body === null || !('error' in body)) {
    if (statusCode === 200) return { kind: 'answer', value: body as T };
    return { kind: 'lost', sent: true, problem: `HTTP ${statusCode}` };
  }
  const { error } = body;
  const code = (typeof error === 'string' ? body.code : error.grpc_code) ?? 0;
  const message = (typeof error === 'string' ? error : error.message) ?? `code ${code}`;
  const isPassing = PASSING.has(code) || (code === CODE.exhausted && !NO_SPACE.test(message));
  return isPassing ? { kind: 'lost', sent: true, problem: message } : { kind: 'refused', code, message };
}

const silent = (silenceMs: number): Error => new Error(`it is silent for ${silenceMs} ms`);

const describe = (error: NodeJS.ErrnoException): string => error.message || error.code || 'the connection failed';
