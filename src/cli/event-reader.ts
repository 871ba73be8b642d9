/** Reads the API's stream of events for as long as there is a server, and resumes where a connection was lost. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorDocument, fromErrorDocument, ValkeeperError } from '../domain/errors.ts';
import type { Event } from '../domain/event.ts';
import { API_PREFIX } from '../protocol/prefix.ts';
import { type Endpoint, queryText } from './endpoint.ts';
import { failureOf, transportTo } from './transport.ts';

/** Silence for longer than this is a lost connection, in milliseconds; the server gives a sign of life every 10 s. */
const SILENCE_MS = 30_000;
const RETRY_MS = 500;

export interface EventQuery {
  database?: string | undefined;
  /** Only events after this number; without it those from now on. */
  after?: number | undefined;
}

/** Every event once, in order. @throws not_running when nobody listens any more, and what the API refuses */
export async function* readEvents(endpoint: Endpoint, { database, after }: EventQuery): AsyncGenerator<Event> {
  let last = after;
  for (;;) {
    const response = await openSoon(endpoint, { database, after: last });
    try {
      for await (const event of eventsOf(response)) {
        last = event.seq;
        yield event;
      }
    } catch (error) {
      if (!isLoss(error)) throw error;
    } finally {
      response.destroy();
    }
    await sleep(RETRY_MS);
  }
}

/** Between two leaders of several servers it waits. */
async function openSoon(endpoint: Endpoint, query: EventQuery): Promise<IncomingMessage> {
  for (;;) {
    try {
      return await open(endpoint, query);
    } catch (error) {
      if (!(error instanceof ValkeeperError && error.code === 'no_leader')) throw error;
      await sleep(RETRY_MS);
    }
  }
}

async function open(endpoint: Endpoint, query: EventQuery): Promise<IncomingMessage> {
  const { url, token } = endpoint;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const path = `${API_PREFIX}/events/stream${queryText({ ...query })}`;
  const headers = { authorization: `Bearer ${token}` };
  const outgoing = transportTo(endpoint)(url + path, { headers, timeout: SILENCE_MS });
  outgoing.once('timeout', () => outgoing.destroy());
  outgoing.once('response', resolve);
  outgoing.on('error', (error: NodeJS.ErrnoException) => reject(failureOf(error, endpoint)));
  outgoing.end();
  const response = await promise;
  if (response.statusCode === 200) return response;
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  throw fromErrorDocument(JSON.parse(text) as ErrorDocument);
}

/** The events of one connection; each block's `data` line is one. */
async function* eventsOf(response: IncomingMessage): AsyncGenerator<Event> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const blocks = (text + chunk).split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) yield JSON.parse(data) as Event;
    }
  }
}

const isLoss = (error: unknown): boolean =>
  ['ECONNRESET', 'ECONNABORTED'].includes((error as { code?: string }).code ?? '');
