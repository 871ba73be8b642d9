/** How the endpoint connects to nodes that speak TLS: as its machine, and to the machine that is meant and no other. */
import type { ConnectionOptions } from 'node:tls';
import type { EndpointDatabase } from '../protocol/endpoint-messages.ts';
import { type Credentials, clientOptions } from '../trust/credentials.ts';
import type { NodePlace } from './slot-map.ts';

/** For one connection to this node; null: without TLS. */
export type TlsTo = (node: Pick<NodePlace, 'machine'>) => ConnectionOptions | null;

/** All nodes of a database speak TLS, or none does. */
export const speaksTls = ({ nodes }: EndpointDatabase): boolean => nodes.some(({ tls }) => tls);

/**
 * Both are asked for each connection: certificates are renewed, and nodes change. A node that was not told of yet may be
 * on any machine of the fleet.
 */
export const tlsToNodesOf =
  (database: () => EndpointDatabase, credentials: () => Credentials | null): TlsTo =>
  ({ machine }) => {
    if (!speaksTls(database())) return null;
    const own = credentials();
    if (own === null) throw new Error('a database with TLS is served without credentials');
    return clientOptions(own, machine === '' ? { kind: 'machine' } : { kind: 'machine', name: machine });
  };
