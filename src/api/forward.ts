/** Passes a request on to the server that leads, as it came, and its answer back, as it comes. */
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https, { type RequestOptions } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ValkeeperError } from '../domain/errors.ts';
import { BODY_LIMIT_BYTES } from './problem.ts';

/** How often a request has been passed on. It is passed on once: two servers never send it to and fro. */
export const HOPS_HEADER = 'valkeeper-hops';
/** Which server has answered, where another was asked. */
const LEADER_HEADER = 'valkeeper-leader';

/** Until the head of an answer: a little longer than clients wait. */
const ANSWER_MS = 20_000;
/** Of what takes long by its nature. */
const LONG_ANSWER_MS = 130_000;
/** Of what reads a whole backup, or waits for its turn at a machine behind backups of any length. */
const BACKUP_MS = 3_600_000;
const LONG_PATHS: readonly [path: RegExp, ms: number][] = [
  [/^\/v1\/endpoints\/restart$/, LONG_ANSWER_MS],
  [/^\/v1\/databases\/[^/]+\/shards\/[^/]+\/rdb$/, BACKUP_MS],
  [/^\/v1\/(restores|backups\/[^/]+\/verify)$/, BACKUP_MS],
];
/** An answer that stops coming for so long is over; a stream of events gives a sign of life every 10 s. */
const SILENCE_MS = 30_000;

/** What belongs to one connection only, or is set anew. */
const NOT_PASSED_ON = ['connection', 'keep-alive', 'transfer-encoding', 'host', 'content-length', 'expect', 'upgrade'];

/** Nobody there took the request: it was not carried out. */
export class LeaderUnreached extends Error {}

/**
 * Resolves when the answer's head has come; the rest follows by itself. `over` ends everything, also later.
 * @throws LeaderUnreached, leader_lost when it may have been carried out, body_too_large
 */
export async function forward(
  request: FastifyRequest,
  reply: FastifyReply,
  to: { leader: string; tls: RequestOptions },
  over: AbortSignal,
): Promise<void> {
  const { leader } = to;
  const body = await bodyOf(request.raw);
  const { raw } = reply;
  const left = new AbortController();
  raw.once('close', () => left.abort());
  const answer = await ask(request, to, body, AbortSignal.any([over, left.signal]));
  reply.hijack();
  const headers = Object.fromEntries([...Object.entries(passedOn(answer.headers)), [LEADER_HEADER, leader]]);
  raw.writeHead(answer.statusCode ?? 502, headers);
  raw.flushHeaders();
  // Cut off in the middle, the client sees that its answer is not whole, and a stream of events is resumed by it.
  pipeline(answer, raw, { signal: over }).catch(() => raw.destroy());
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) throw new ValkeeperError('body_too_large', { limitBytes: BODY_LIMIT_BYTES });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function ask(
  request: FastifyRequest,
  { leader, tls }: { leader: string; tls: RequestOptions },
  body: Buffer,
  over: AbortSignal,
): Promise<IncomingMessage> {
  const { method, url, headers } = request;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const all = { ...passedOn(headers), [HOPS_HEADER]: '1', 'content-length': body.length };
  const options = { method, headers: all, signal: over, agent: false } as const;
  const outgoing = leader.startsWith('https:')
    ? https.request(leader + url, { ...tls, ...options })
    : http.request(leader + url, options);
  let isConnected = false;
  outgoing.once('socket', (socket) => {
    socket.once(leader.startsWith('https:') ? 'secureConnect' : 'connect', () => {
      isConnected = true;
    });
  });
  const path = url.split('?')[0]!;
  const lateMs = LONG_PATHS.find(([long]) => long.test(path))?.[1] ?? ANSWER_MS;
  const late = setTimeout(() => outgoing.destroy(new Error('no answer in time')), lateMs);
  outgoing.setTimeout(Math.max(lateMs, SILENCE_MS), () => outgoing.destroy(new Error('it is silent')));
  outgoing.on('error', (error) => {
    const changesNothing = !isConnected || method === 'GET';
    if (changesNothing) reject(new LeaderUnreached(error.message, { cause: error }));
    else reject(new ValkeeperError('leader_lost', { leader }, { cause: error }));
  });
  outgoing.once('response', (answer) => {
    outgoing.setTimeout(SILENCE_MS);
    resolve(answer);
  });
  outgoing.end(body);
  return promise.finally(() => clearTimeout(late));
}

const passedOn = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.includes(name)));
