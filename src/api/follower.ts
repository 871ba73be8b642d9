/**
 * The API of a server that does not lead. While another does, every request is passed on to it. While nobody does,
 * what only reads is answered from the records in the store, and says so; changes are refused, and may be sent again.
 */
import { setMaxListeners } from 'node:events';
import type { RequestOptions } from 'node:https';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventQuery } from '../control/control-plane.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { Event } from '../domain/event.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import type { FleetStatus } from '../protocol/api.ts';
import { eventsQuerySchema } from '../protocol/api.ts';
import { API_PREFIX } from '../protocol/prefix.ts';
import { forward, HOPS_HEADER, LeaderUnreached } from './forward.ts';
import { parseInput } from './input-errors.ts';

/** On answers that nobody looked after: the records as they stand, with every node unknown. */
const STALE_HEADER = 'valkeeper-stale';
/** When to try again, in seconds. */
const RETRY_S = 2;

/** What the API needs to know of the servers of the fleet. */
export interface Standing {
  /** This server leads, and its control plane is there. */
  leads(): boolean;
  /** URL of the API of the other server that leads, as far as is known here. */
  leader(): string | null;
  /** What this server shows that one, and expects of it, where they speak TLS. */
  tls(): RequestOptions;
  /** What can be told while nobody leads. */
  records: {
    status(): Promise<FleetStatus>;
    databases(): Promise<DatabaseStatus[]>;
    database(name: string): Promise<DatabaseStatus>;
    events(query: EventQuery): Promise<Event[]>;
  };
}

export interface Follower {
  /** To be called with each request that may be answered. Answers it, or leaves it to this server. */
  onRequest(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined>;
  /** Another leads, or nobody: what was passed on before, and streams that this server has begun, end now. */
  changed(): void;
}

/** What this server does itself, whoever leads. */
const OWN = [`${API_PREFIX}/openapi.json`, `${API_PREFIX}/shutdown`];
const STREAM = `${API_PREFIX}/events/stream`;

/** Makes it of what is known of the servers. */
export function createFollower(standing: Standing): Follower {
  let era = newEra();

  const pass = async (
    request: FastifyRequest,
    reply: FastifyReply,
    leader: string,
  ): Promise<FastifyReply | undefined> => {
    try {
      await forward(request, reply, { leader, tls: standing.tls() }, era.signal);
      return reply;
    } catch (error) {
      if (!(error instanceof LeaderUnreached)) throw error;
      return answerAlone(request, reply, `${leader} led last and does not answer`);
    }
  };

  const answerAlone = async (request: FastifyRequest, reply: FastifyReply, problem: string): Promise<FastifyReply> => {
    const stale = request.method === 'GET' ? STALE[request.routeOptions.url ?? ''] : undefined;
    if (!stale) {
      reply.header('retry-after', RETRY_S);
      throw new ValkeeperError('no_leader', { problem, seconds: RETRY_S });
    }
    const document = await stale(standing.records, request);
    return reply.header(STALE_HEADER, 'no server leads').send(document);
  };

  return {
    onRequest: async (request, reply) => {
      const route = request.routeOptions.url;
      if (route === undefined || OWN.includes(route)) return;
      if (standing.leads()) {
        if (route === STREAM) endWith(era.signal, reply);
        return;
      }
      const leader = standing.leader();
      if (leader === null) return answerAlone(request, reply, 'none of the servers has been elected');
      if (request.headers[HOPS_HEADER] !== undefined) return answerAlone(request, reply, 'it changes just now');
      return pass(request, reply, leader);
    },
    changed: () => {
      era.abort();
      era = newEra();
    },
  };
}

function newEra(): AbortController {
  const era = new AbortController();
  setMaxListeners(0, era.signal); // as many as there are requests at one time
  return era;
}

/** A stream that goes on for ever ends with the term: its reader comes again, and finds who leads then. */
function endWith(over: AbortSignal, { raw }: FastifyReply): void {
  const end = (): void => void raw.destroy();
  over.addEventListener('abort', end);
  raw.once('close', () => over.removeEventListener('abort', end));
}

type StaleAnswer = (records: Standing['records'], request: FastifyRequest) => Promise<unknown>;

/** By route. */
const STALE: Record<string, StaleAnswer> = {
  [`${API_PREFIX}/status`]: (records) => records.status(),
  [`${API_PREFIX}/databases`]: async (records) => ({ databases: await records.databases() }),
  [`${API_PREFIX}/databases/:name`]: (records, { params }) => records.database((params as { name: string }).name),
  [`${API_PREFIX}/events`]: async (records, { query }) => ({
    events: await records.events(parseInput(eventsQuerySchema, query, 'query')),
  }),
};
