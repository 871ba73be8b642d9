/**
 * How six processes become one cluster, seen from outside: each node is connected to until it accepts, then asked
 * every few milliseconds for its own view, and offered one write for each shard until somebody takes it.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SLOT_COUNT } from '../../src/domain/slots.ts';
import { ReplyError } from '../../src/resp/reply.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { parseInfo } from '../../src/valkey/info.ts';

const CONNECT_POLL_MS = 2;
const POLL_MS = 5;
const TIMEOUT_MS = 60_000;

export interface Address {
  host: string;
  port: number;
}

export interface Credentials {
  username: string;
  password: string;
}

/** Milliseconds since the last of the processes accepted its first connection. */
export interface Formation {
  firstWrite: number;
  /** A write to each shard was accepted. */
  allWrite: number;
  /** Every node sees all slots served. */
  slotsServed: number;
  /** Half of the nodes are replicas, and each says that its link to its primary is up. */
  linksUp: number;
  /** Every node says `cluster_state:ok`. */
  stateOk: number;
  /** All of them at one moment. */
  complete: number;
}

/** A key in each third of the slots: 3300, 7365 and 15495. */
const KEYS = ['b', 'c', 'a'];

interface Seen {
  slotsServed: boolean;
  linkedReplica: boolean;
  primary: boolean;
  stateOk: boolean;
}

/** Resolves with the moment (`performance.now()`) at which somebody accepts connections there. @throws Error after a minute */
export async function accepts({ host, port }: Address): Promise<number> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connect({ host, port });
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (connected) return performance.now();
    await sleep(CONNECT_POLL_MS);
  }
  throw new Error(`nobody accepts connections at ${host}:${port}`);
}

/**
 * Watches three primaries and three replicas form, from the moment at which the last of them accepts connections.
 * @throws Error when they have not after a minute
 */
export async function watchFormation(
  addresses: readonly Address[],
  credentials: Credentials,
  acceptedAt: number,
): Promise<Formation> {
  const watch = new Watch(addresses, credentials, acceptedAt);
  try {
    return await watch.run();
  } finally {
    watch.close();
  }
}

class Watch {
  readonly #nodes: { connection: NodeConnection; seen: Seen | null }[];
  readonly #acceptedAt: number;
  readonly #writtenAt = new Map<string, number>();
  readonly #reached: Partial<Record<'slotsServed' | 'linksUp' | 'stateOk' | 'complete', number>> = {};

  constructor(addresses: readonly Address[], credentials: Credentials, acceptedAt: number) {
    this.#acceptedAt = acceptedAt;
    this.#nodes = addresses.map((address) => ({
      connection: new NodeConnection({
        ...address,
        ...credentials,
        connectTimeoutMs: TIMEOUT_MS,
        commandTimeoutMs: TIMEOUT_MS,
        maxQueued: 16,
      }),
      seen: null,
    }));
  }

  async run(): Promise<Formation> {
    await Promise.all(this.#nodes.map((_, index) => this.#ask(index)));
    const writes = KEYS.map((key) => this.#writtenAt.get(key)!);
    const { slotsServed, linksUp, stateOk, complete } = this.#reached;
    return {
      firstWrite: Math.min(...writes),
      allWrite: Math.max(...writes),
      slotsServed: slotsServed!,
      linksUp: linksUp!,
      stateOk: stateOk!,
      complete: complete!,
    };
  }

  close(): void {
    for (const { connection } of this.#nodes) connection.close();
  }

  async #ask(index: number): Promise<void> {
    const node = this.#nodes[index]!;
    const deadline = this.#acceptedAt + TIMEOUT_MS;
    while (this.#reached.complete === undefined || this.#writtenAt.size < KEYS.length) {
      if (performance.now() > deadline) throw new Error('the cluster did not form within a minute');
      const keys = KEYS.filter((key) => !this.#writtenAt.has(key));
      const [cluster, replication, ...writes] = await node.connection.pipeline([
        ['CLUSTER', 'INFO'],
        ['INFO', 'replication'],
        ...keys.map((key) => ['SET', key, '1']),
      ]);
      node.seen = seenIn(`${cluster}${replication}`);
      this.#note(keys.filter((_, place) => !(writes[place] instanceof ReplyError)));
      await sleep(POLL_MS);
    }
  }

  #note(written: readonly string[]): void {
    const elapsedMs = performance.now() - this.#acceptedAt;
    for (const key of written) {
      if (!this.#writtenAt.has(key)) this.#writtenAt.set(key, elapsedMs);
    }
    const all = this.#nodes.map(({ seen }) => seen);
    const half = all.length / 2;
    const reached = {
      slotsServed: all.every((seen) => seen?.slotsServed),
      linksUp:
        all.filter((seen) => seen?.linkedReplica).length === half &&
        all.filter((seen) => seen?.primary).length === half,
      stateOk: all.every((seen) => seen?.stateOk),
    };
    const complete = reached.slotsServed && reached.linksUp && reached.stateOk;
    for (const [name, holds] of Object.entries({ ...reached, complete })) {
      if (holds) this.#reached[name as keyof typeof reached] ??= elapsedMs;
    }
  }
}

function seenIn(text: string): Seen {
  const fields = parseInfo(text);
  const primary = fields.get('role') === 'master';
  return {
    slotsServed: fields.get('cluster_slots_ok') === String(SLOT_COUNT),
    linkedReplica: !primary && fields.get('master_link_status') === 'up',
    primary,
    stateOk: fields.get('cluster_state') === 'ok',
  };
}
