/** The routes: each reads its input with a schema, asks the control plane, and answers with what it said. */
import type { FastifyInstance } from 'fastify';
import type { ControlPlane } from '../control/control-plane.ts';
import {
  API_PREFIX,
  createDatabaseSchema,
  eventsQuerySchema,
  logsQuerySchema,
  planRequestSchema,
  shutdownSchema,
} from '../protocol/api.ts';
import { parseInput } from './input-errors.ts';

type ByName = { Params: { name: string } };

export interface RouteOptions {
  control: ControlPlane;
  /** Stops the fleet; resolves when all nodes and agents have stopped. */
  shutDown: ControlPlane['shutDown'];
  /** Called once the answer to a shutdown has been sent. */
  afterShutDown: () => void;
}

/** Adds every route. Errors are left to the server's error handler. */
export function addRoutes(app: FastifyInstance, { control, shutDown, afterShutDown }: RouteOptions): void {
  const databases = `${API_PREFIX}/databases`;

  app.get(`${API_PREFIX}/status`, () => control.status());

  app.get(databases, () => ({ databases: control.databases() }));
  app.post(databases, async ({ body }, reply) => {
    const created = await control.createDatabase(parseInput(createDatabaseSchema, body, 'body'));
    return reply.code(201).header('location', `${databases}/${created.name}`).send(created);
  });
  app.get<ByName>(`${databases}/:name`, ({ params }) => control.database(params.name));
  app.delete<ByName>(`${databases}/:name`, async ({ params }, reply) =>
    reply.code(202).send(await control.deleteDatabase(params.name)),
  );
  app.get<ByName>(`${databases}/:name/password`, ({ params }) => control.password(params.name));

  app.post(`${API_PREFIX}/plans`, ({ body }) => control.plan(parseInput(planRequestSchema, body, 'body')));

  app.get(`${API_PREFIX}/machines`, () => ({ machines: control.machines() }));
  app.get(`${API_PREFIX}/events`, async ({ query }) => ({
    events: await control.events(parseInput(eventsQuerySchema, query, 'query')),
  }));
  app.get<{ Params: { source: string } }>(`${API_PREFIX}/logs/:source`, ({ params, query }) =>
    control.log(params.source, parseInput(logsQuerySchema, query, 'query').lines),
  );

  app.post(`${API_PREFIX}/shutdown`, async ({ body }, reply) => {
    await shutDown(parseInput(shutdownSchema, body ?? {}, 'body'));
    reply.raw.once('close', afterShutDown);
    return reply.header('connection', 'close').send({ stopped: true });
  });
}
