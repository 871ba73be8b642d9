/** The endpoints of a database: one at every machine, each with the port of the spec. */
import type { Database } from '../domain/database.ts';
import { isWitness } from '../domain/machine.ts';
import { ANY_PORT } from '../domain/spec.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import type { DatabaseView, EndpointView } from '../domain/view.ts';
import { keptFor } from './kept.ts';

/** Why a machine's endpoint does not serve a database; null when it does, or when nothing is known of it. */
export function endpointProblem(endpoint: EndpointView | null, uid: string, port: number): string | null {
  if (endpoint === null) return null;
  if (endpoint.problem !== null) return endpoint.problem;
  const served = servedBy(endpoint).get(uid);
  if (!served || served.port !== port) return 'it does not know of it yet';
  return served.problem;
}

/** By uid. */
const servedBy = keptFor(
  ({ databases }: EndpointView) => new Map(databases.map((database) => [database.uid, database])),
);

/** The addresses at which clients find the database, with those that serve it now. */
export function endpointsOf(
  { uid, spec: { port, auth } }: Pick<Database, 'uid' | 'spec'>,
  { machines }: Pick<DatabaseView, 'machines'>,
): Pick<DatabaseStatus, 'endpoint' | 'endpoints'> {
  if (port === ANY_PORT) return { endpoint: null, endpoints: [] };
  const endpoints = machines
    .filter((machine) => !isWitness(machine))
    .map(({ name, address, endpoint }) => ({
      machine: name,
      host: address,
      port,
      url: `redis://${auth ? 'default@' : ''}${address}:${port}/0`,
      serves: endpoint !== null && endpointProblem(endpoint, uid, port) === null,
    }));
  const first = endpoints.find(({ serves }) => serves);
  return { endpoint: first ? { host: first.host, port, url: first.url } : null, endpoints };
}
