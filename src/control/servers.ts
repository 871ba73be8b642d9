/**
 * The servers of a fleet that run now: each has a key in the store under a lease that it keeps. Whoever asks one of
 * them learns where the others are. Keeping the lease also shows whether the store can be used.
 */
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { ServersStatus } from '../protocol/api.ts';
import type { Store } from '../store/store.ts';

const PREFIX = 'servers/';
/** A server that has died is listed for so long, in ms. */
const LEASE_MS = 10_000;
const KEEP_MS = 2_000;
/** A store that has not answered for so long counts as lost, though it is still waited for, in ms. */
const LATE_MS = 3_000;
/** How long closing waits for a store that does not answer, in ms. */
const CLOSE_MS = 1_000;

/** The status of a control plane that shares its store with nobody. */
export const ALONE: ServersStatus = { store: 'embedded', storeProblem: null, term: null, leader: null, all: [] };

export interface KnownServer {
  /** Of its API. */
  url: string;
  version: string;
}

export interface ServersOptions {
  store: Store;
  self: KnownServer;
  log: Logger;
  clock: Clock;
  /** They are not those of before. */
  changed: () => void;
}

/** Lists this server until it is closed, and knows the others. */
export class Servers {
  readonly #options: ServersOptions;
  readonly #running: Promise<void>;
  readonly #closing = Promise.withResolvers<void>();
  #closed = false;
  #lease: string | null = null;
  #all: readonly KnownServer[];
  #problem: string | null = null;

  constructor(options: ServersOptions) {
    this.#options = options;
    this.#all = [options.self];
    this.#running = this.#run();
  }

  get all(): readonly KnownServer[] {
    return this.#all;
  }

  /** Why the store could not be used when it was last asked; null when it could. */
  get storeProblem(): string | null {
    return this.#problem;
  }

  /** Takes this server off the list. */
  async close(): Promise<void> {
    const { clock, store } = this.#options;
    this.#closed = true;
    this.#closing.resolve();
    const over = this.#running.then(() => (this.#lease === null ? undefined : store.revokeLease(this.#lease)));
    await Promise.race([over.catch(() => {}), clock.sleep(CLOSE_MS)]); // the lease ends by itself
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#closed) {
      const endTimer = clock.timer(LATE_MS, () => {
        this.#problem ??= 'The store does not answer.';
      });
      try {
        await this.#list();
        if (this.#problem !== null) log.info({}, 'The store answers again.');
        this.#problem = null;
      } catch (error) {
        if (this.#closed) return;
        log.warn({ err: error }, 'The store cannot be used.');
        this.#problem = (error as Error).message;
      } finally {
        endTimer();
      }
      await Promise.race([this.#closing.promise, clock.sleep(KEEP_MS)]);
    }
  }

  async #list(): Promise<void> {
    const { changed, self, store } = this.#options;
    if (this.#lease === null || !(await store.keepLease(this.#lease))) {
      this.#lease = (await store.grantLease(LEASE_MS)).id;
      await store.commit([{ put: PREFIX + self.url, value: self, lease: this.#lease }]);
    }
    const all = (await store.list<KnownServer>(PREFIX)).map(({ value }) => value);
    const isSame = JSON.stringify(all) === JSON.stringify(this.#all);
    this.#all = all;
    if (!isSame) changed();
  }
}
