/** The nodes of a cluster as its administrator sees them: who owns what, how many keys there are, when all is quiet. */

import { NodeConnection } from '../../src/valkey/connection.ts';
import { numberField, parseInfo, replicationInfo } from '../../src/valkey/info.ts';
import { until } from '../faults/wait.ts';
import type { Address, Credentials } from '../support/formation.ts';
import { type Owned, ownedIn, ownersIn } from './slots.ts';

/** Longer than any node stops for. */
const PATIENCE_MS = 60_000;
const MAX_QUEUED = 100_000;
/** What replicas acknowledge once a second may be so far behind while nothing is written but the engine's own pings. */
const QUIET_LAG_BYTES = 4_096;
/** Of these none is under way in a node that is quiet. */
const BACKGROUND = [
  ...['loading', 'async_loading', 'rdb_bgsave_in_progress', 'aof_rewrite_in_progress', 'aof_rewrite_scheduled'],
];

export class Nodes {
  readonly #credentials: Credentials;
  readonly #open = new Map<string, NodeConnection>();

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** Connects with its first command. */
  at({ host, port }: Address): NodeConnection {
    const name = `${host}:${port}`;
    const limits = { connectTimeoutMs: PATIENCE_MS, commandTimeoutMs: PATIENCE_MS, maxQueued: MAX_QUEUED };
    const known = this.#open.get(name) ?? new NodeConnection({ host, port, ...this.#credentials, ...limits });
    this.#open.set(name, known);
    return known;
  }

  /** By the word of this node. */
  async owned(address: Address): Promise<Owned[]> {
    return ownedIn(await this.at(address).command('CLUSTER', 'SLOTS'));
  }

  async id(address: Address): Promise<string> {
    return String(await this.at(address).command('CLUSTER', 'MYID'));
  }

  /** Of all primaries together: keys, and what they take without what the processes take themselves. */
  async contents(address: Address): Promise<{ keys: number; usedBytes: number; dataBytes: number }> {
    const sums = { keys: 0, usedBytes: 0, dataBytes: 0 };
    for (const owner of ownersIn(await this.owned(address))) {
      const memory = await this.#info(owner, 'memory');
      sums.keys += Number(await this.at(owner).command('DBSIZE'));
      sums.usedBytes += numberField(memory, 'used_memory');
      sums.dataBytes += numberField(memory, 'used_memory_dataset');
    }
    return sums;
  }

  /**
   * Every node has written its log anew, so that none does so by itself a moment later, nothing is under way, and replicas
   * have all there is.
   */
  async settle(addresses: readonly Address[]): Promise<void> {
    for (const address of addresses) {
      const isLogged = (await this.#info(address, 'persistence')).get('aof_enabled') === '1';
      // One may be under way already.
      if (isLogged)
        await this.at(address)
          .command('BGREWRITEAOF')
          .catch(() => {});
    }
    await until('all nodes are quiet', async () => {
      for (const address of addresses) if (!(await this.#isQuiet(address))) return null;
      return true;
    });
  }

  /** They all know each other and serve slots; of some, replicas have a link to their primary, and primaries have replicas. */
  async untilMet(addresses: readonly Address[], replicated = addresses): Promise<void> {
    await until(`${addresses.length} nodes know each other`, async () => {
      for (const address of addresses) {
        const cluster = parseInfo(String(await this.at(address).command('CLUSTER', 'INFO')));
        const isOk = cluster.get('cluster_state') === 'ok' && cluster.get('cluster_slots_fail') === '0';
        if (!isOk || cluster.get('cluster_known_nodes') !== `${addresses.length}`) return null;
      }
      for (const address of replicated) {
        if (!(await this.#isLinked(address))) return null;
      }
      return true;
    });
  }

  close(): void {
    for (const connection of this.#open.values()) connection.close();
  }

  async #isLinked(address: Address): Promise<boolean> {
    const { role, linkUp, replicas } = replicationInfo(await this.#info(address, 'replication'));
    return role === 'replica' ? linkUp : replicas.length > 0 && replicas.every(({ state }) => state === 'online');
  }

  async #isQuiet(address: Address): Promise<boolean> {
    const persistence = await this.#info(address, 'persistence');
    if (BACKGROUND.some((name) => (persistence.get(name) ?? '0') !== '0')) return false;
    const { role, offset, replicas } = replicationInfo(await this.#info(address, 'replication'));
    return role === 'replica' || replicas.every((one) => offset - one.offset < QUIET_LAG_BYTES);
  }

  async #info(address: Address, section: string): Promise<ReadonlyMap<string, string>> {
    return parseInfo(String(await this.at(address).command('INFO', section)));
  }
}
