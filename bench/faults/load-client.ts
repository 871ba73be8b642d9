/** Ways to write, one for each kind of system: each is a client as an app would use it, which connects again by itself. */
import { Cluster, Redis } from 'ioredis';

/** Where to write. */
export type Target =
  | { kind: 'endpoint'; host: string; port: number; password: string | null }
  | { kind: 'cluster'; nodes: { host: string; port: number }[] }
  | { kind: 'sentinel'; sentinels: { host: string; port: number }[]; group: string };

export interface LoadClient {
  /** A write of a key that nobody has written. @throws when it is not acknowledged */
  write(key: string, value: string): Promise<void>;
  /** Keys of one slot. */
  read(keys: readonly string[]): Promise<(string | null)[]>;
  remove(keys: readonly string[]): Promise<void>;
  close(): void;
}

const CONNECTIONS = 10;
const RECONNECT_MS = 20;
const CONNECT_TIMEOUT_MS = 1_000;
const REFRESH_MS = 1_000;

/** Nothing is sent a second time by the client: each write is one try, so that its outcome is known. */
const ONE_TRY = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => RECONNECT_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
} as const;

/** Told when the engine finds the key of a write that was sent once: it has been carried out before. */
const TWICE = 'CARRIEDOUTTWICE somebody sent the write again';

/** Connects at once. */
export function loadClient(target: Target): LoadClient {
  if (target.kind === 'cluster') {
    // It repeats by itself what may have been carried out: the key may be there by then.
    return ofClients(
      1,
      () => clusterOf(target.nodes),
      (client, key, value) => client.set(key, value),
    );
  }
  return ofClients(
    CONNECTIONS,
    () => (target.kind === 'endpoint' ? endpointOf(target) : sentinelOf(target)),
    async (client, key, value) => {
      if ((await client.set(key, value, 'NX')) === null) throw new Error(TWICE);
    },
  );
}

function ofClients<C extends Redis | Cluster>(
  count: number,
  make: () => C,
  set: (client: C, key: string, value: string) => Promise<unknown>,
): LoadClient {
  const clients: C[] = [];
  let closed = false;
  const fill = (place: number): void => {
    const client = make();
    clients[place] = client;
    client.on('error', () => {}); // each command tells its own failure
    // With sentinels ioredis may give up for ever when it is told of a failover twice.
    client.on('end', () => closed || setTimeout(fill, RECONNECT_MS, place));
  };
  for (let place = 0; place < count; place += 1) fill(place);
  let turn = 0;
  return {
    write: async (key, value) => {
      turn = (turn + 1) % clients.length;
      await set(clients[turn]!, key, value);
    },
    read: (keys) => clients[0]!.mget([...keys]),
    remove: async (keys) => {
      await clients[0]!.unlink([...keys]);
    },
    close: () => {
      closed = true;
      for (const client of clients) client.disconnect();
    },
  };
}

function endpointOf({ host, port, password }: Extract<Target, { kind: 'endpoint' }>): Redis {
  return new Redis({ ...ONE_TRY, host, port, ...(password === null ? {} : { password }) });
}

/** As its documentation advises: told by the sentinels of a change, and asking them again at once. */
function sentinelOf({ sentinels, group }: Extract<Target, { kind: 'sentinel' }>): Redis {
  return new Redis({
    ...ONE_TRY,
    ...{ sentinels, name: group, role: 'master', failoverDetector: true },
    ...{ sentinelRetryStrategy: () => RECONNECT_MS, sentinelReconnectStrategy: () => RECONNECT_MS },
  });
}

/** With its own tries on, as it comes; it asks for the slots each second besides, to find out about a silent machine. */
function clusterOf(nodes: readonly { host: string; port: number }[]): Cluster {
  return new Cluster([...nodes], {
    redisOptions: { connectTimeout: CONNECT_TIMEOUT_MS },
    ...{ slotsRefreshInterval: REFRESH_MS, slotsRefreshTimeout: REFRESH_MS, clusterRetryStrategy: () => RECONNECT_MS },
  });
}
