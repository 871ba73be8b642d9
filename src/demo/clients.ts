/** The real clients of the play, of ioredis. It is loaded when the play begins: no other command needs it. */
import type { Cluster, Redis } from 'ioredis';
import type { EndpointAddress, NodeStatus } from '../domain/status.ts';
import type { Scene } from './scene.ts';

/** After an error of the connection the client tries again after this pause, in milliseconds, and so many times. */
export const RETRY = { pauseMs: 20, tries: 250 };
/** The endpoint's word for a write whose node was lost before it answered. */
export const UNKNOWN = 'UNKNOWNOUTCOME';
/** How it ends its refusal of a command that waited too long for a node. */
export const NOT_DONE = 'nothing was done. Try again later';
/** A node that is asked something by name answers within this, in milliseconds. */
const NODE_ANSWER_MS = 10_000;

/** Runs `work` with a cluster client of the database and closes it afterwards, whatever happens. */
export async function withCluster<T>(
  scene: Scene,
  readFrom: 'primaries' | 'replicas',
  work: (client: Cluster) => Promise<T>,
): Promise<T> {
  const { Cluster } = await import('ioredis');
  const { clusterEndpoints } = await scene.show();
  const client = new Cluster(clusterEndpoints, {
    ...options(scene),
    scaleReads: readFrom === 'replicas' ? 'slave' : 'master',
  });
  client.on('error', () => {}); // a lost connection is the client's to mend; what it cannot mend, commands report
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/** Runs `work` with a plain client of the database, which knows one address, and closes it afterwards. */
export async function withPlain<T>(
  { password }: Pick<Scene, 'password'>,
  at: EndpointAddress,
  work: (client: Redis) => Promise<T>,
): Promise<T> {
  const { Redis } = await import('ioredis');
  const client = new Redis({ host: at.host, port: at.port, ...(password === null ? {} : { password }) });
  client.on('error', () => {}); // its commands report it
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/** All but the retries is as ioredis has it. */
const options = ({ password }: Scene) => ({
  redisOptions: password === null ? {} : { password },
  clusterRetryStrategy: () => RETRY.pauseMs,
  retryDelayOnFailover: RETRY.pauseMs,
  retryDelayOnClusterDown: RETRY.pauseMs,
  maxRedirections: RETRY.tries,
});

/** Asks one node, over a connection of its own. */
export async function askNode<T>(
  { password }: Scene,
  { host, port }: NodeStatus,
  work: (node: Redis) => Promise<T>,
): Promise<T> {
  const { Redis } = await import('ioredis');
  const node = new Redis({
    ...{ host, port, commandTimeout: NODE_ANSWER_MS, maxRetriesPerRequest: 1 },
    ...(password === null ? {} : { password }),
  });
  node.on('error', () => {}); // its commands report it
  try {
    return await work(node);
  } finally {
    node.disconnect();
  }
}
