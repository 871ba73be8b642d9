/** The REST API: HTTP on loopback, one bearer token, problem documents for everything that goes wrong. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type FastifyReply, fastify } from 'fastify';
import { ValkeeperError } from '../domain/errors.ts';
import { carriesToken } from '../platform/bearer.ts';
import type { Logger } from '../platform/log.ts';
import type { Follower } from './follower.ts';
import { BODY_LIMIT_BYTES, PROBLEM_TYPE, toProblem, translate } from './problem.ts';
import { addRoutes, methodsOf, type RouteOptions } from './routes.ts';

export interface ApiOptions extends RouteOptions {
  /** Sent by clients as `Authorization: Bearer <token>`. */
  token: string;
  log: Logger;
  /** Where several servers share a fleet: answers what is not for this one to answer. */
  follower?: Follower;
}

export interface Api {
  /** For others who serve on the same port, such as the agents' WebSocket. */
  readonly httpServer: Server;
  /** Listens on 127.0.0.1 and returns the port; 0 takes any free one. @throws the system's error, such as EADDRINUSE */
  listen(port: number): Promise<number>;
  /** Answers a request that came in by another server, such as one that speaks TLS. To be called once it listens. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

/** Longest a client may take to send one request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Makes the API; it does not listen yet. */
export function createApi({ token, log, follower, ...routes }: ApiOptions): Api {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply) => void sendError(error, reply, log),
  });

  app.removeContentTypeParser('text/plain');

  app.addHook('onRequest', async ({ headers }) => {
    if (!carriesToken(headers.authorization, token)) throw new ValkeeperError('not_authorized');
  });
  if (follower) app.addHook('onRequest', follower.onRequest);
  app.setErrorHandler((error: Error, _request, reply) => sendError(error, reply, log));
  app.setNotFoundHandler(({ method, url }, reply) => {
    const path = url.split('?')[0]!;
    const allowed = methodsOf(path).join(', ');
    if (allowed === '') throw new ValkeeperError('route_not_found', { method, path });
    reply.header('allow', allowed);
    throw new ValkeeperError('method_not_allowed', { method, path, allowed });
  });
  addRoutes(app, routes);

  return {
    httpServer: app.server,
    listen: async (port) => {
      await app.listen({ host: '127.0.0.1', port });
      return (app.server.address() as AddressInfo).port;
    },
    handle: (request, response) => app.routing(request, response),
    close: () => app.close(),
  };
}

function sendError(error: Error, reply: FastifyReply, log: Logger): FastifyReply {
  const ours = translate(error);
  if (ours.kind === 'internal') log.error({ err: error }, 'a request failed unexpectedly');
  const problem = toProblem(ours);
  return reply.code(problem.status).type(PROBLEM_TYPE).send(problem);
}
