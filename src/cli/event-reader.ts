/** Reads the API's stream of events for as long as there is a server, and resumes where a connection was lost. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ValkeeperError } from '../domain/errors.ts';
import type { Event } from '../domain/event.ts';
import { type Endpoint, queryText } from './endpoint.ts';
import { openStream } from './open-stream.ts';

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

const open = (endpoint: Endpoint, query: EventQuery): Promise<IncomingMessage> =>
  openStream(endpoint, {
    path: `/events/stream${queryText({ ...query })}`,
    headMs: SILENCE_MS,
    silenceMs: SILENCE_MS,
  });

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
