/**
 * Events as they happen, as server-sent events. The stream is pulled: events are read from the log page by page and
 * only as fast as the reader takes them, so a slow reader costs one page of memory and misses nothing. One that takes
 * nothing for long is told so and let go; it resumes with the number of its last event.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ControlPlane } from '../control/control-plane.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { Event } from '../domain/event.ts';
import { parseInput } from './input-errors.ts';

export interface StreamLimits {
  /** Readers at one time. */
  streams: number;
  /** Events read from the log at once. */
  pageEvents: number;
  /** A sign of life goes out after so long without an event, in milliseconds. */
  heartbeatMs: number;
  /** A reader that has not taken what was written after so long is let go, in milliseconds. */
  slowMs: number;
}

const STREAM_LIMITS: StreamLimits = { streams: 64, pageEvents: 100, heartbeatMs: 10_000, slowMs: 30_000 };

interface StreamQuery {
  database?: string | undefined;
  after?: number | undefined;
}

const headersSchema = z.object({ 'last-event-id': z.coerce.number().int().min(0).optional() });

/** Prepares the handler of the stream's route; when the server closes, every stream ends with a word. */
export function addEventStream(app: FastifyInstance, control: ControlPlane, change: Partial<StreamLimits> = {}) {
  const limits = { ...STREAM_LIMITS, ...change };
  const closing = new AbortController();
  let streams = 0;
  app.addHook('preClose', async () => closing.abort());

  return async (query: StreamQuery, reply: FastifyReply, request: FastifyRequest): Promise<FastifyReply> => {
    const resumed = parseInput(headersSchema, request.headers, 'headers')['last-event-id'];
    const after = resumed ?? query.after ?? (await control.events({ limit: 1 })).at(-1)?.seq ?? 0;
    if (streams >= limits.streams) throw new ValkeeperError('too_many_streams', { limit: limits.streams });
    streams += 1;
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    raw.write(`: events after ${after}\n\n`);
    pump(control, raw, { database: query.database, after }, limits, closing.signal)
      .catch(() => raw.destroy()) // the log cannot be read: the reader comes again and is told so
      .finally(() => {
        streams -= 1;
      });
    return reply;
  };
}

/** Writes until the reader leaves, falls asleep, or the server closes. */
async function pump(
  control: ControlPlane,
  out: ServerResponse,
  { database, after }: { database: string | undefined; after: number },
  { pageEvents, heartbeatMs, slowMs }: StreamLimits,
  closing: AbortSignal,
): Promise<void> {
  const bell = new Bell();
  const leave = (): void => bell.ring();
  const unfollow = control.followEvents((event) => {
    if (database === undefined || event.database === database) bell.ring();
  });
  out.once('close', leave);
  out.on('error', leave);
  closing.addEventListener('abort', leave);
  const over = (): boolean => out.closed || out.destroyed || closing.aborted;
  try {
    let last = after;
    while (!over()) {
      const events = await control.events({ after: last, limit: pageEvents, database });
      const text = events.map(frame).join('');
      if (text !== '' && !out.write(text) && !(await drained(out, slowMs, closing))) break;
      last = events.at(-1)?.seq ?? last;
      if (events.length === 0 && !over() && !(await bell.rung(heartbeatMs))) out.write(': alive\n\n');
    }
    // Who does not even take the last words is cut off: a dead reader must not hold its connection for ever.
    out.setTimeout(slowMs, () => out.destroy());
    if (!out.destroyed) out.end(closing.aborted ? ': the server stops\n\n' : ': too slow, come again\n\n');
  } finally {
    unfollow();
    closing.removeEventListener('abort', leave);
  }
}

const frame = (event: Event): string => `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;

/** False when the reader has not taken it in time, has left, or the server closes. */
async function drained(out: ServerResponse, slowMs: number, closing: AbortSignal): Promise<boolean> {
  const decided = new AbortController();
  const signal = AbortSignal.any([closing, decided.signal, AbortSignal.timeout(slowMs)]);
  try {
    await Promise.race([once(out, 'drain', { signal }), once(out, 'close', { signal })]);
    return !out.destroyed;
  } catch {
    return false;
  } finally {
    decided.abort(); // the other of the two listens no more
  }
}

/** Rung at any time, heard once. */
class Bell {
  #rang = false;
  #hear: (() => void) | null = null;

  ring(): void {
    this.#rang = true;
    this.#hear?.();
  }

  /** True when it rang since the last time, or rings within the time; false after that. */
  async rung(timeoutMs: number): Promise<boolean> {
    if (!this.#rang) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#hear = resolve;
      const timer = setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
      this.#hear = null;
    }
    const rang = this.#rang;
    this.#rang = false;
    return rang;
  }
}
