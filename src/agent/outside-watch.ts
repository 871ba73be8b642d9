/**
 * Watches a process that is not our child, and so does not tell us of its end: an open connection does, since the
 * kernel closes it with the process; /proc confirms it. Looking into /proc now and then is the net below.
 */
import { isRunning, type ProcessIdentity } from '../platform/process-identity.ts';
import type { NodeConnection } from '../valkey/connection.ts';
import { ended } from './process-end.ts';

const NET_INTERVAL_MS = 1_000;
/** After a loss: how long the process may take to be gone. Then it lives, and is connected to again. */
const SETTLE_MS = 200;

export interface WatchOptions {
  process: ProcessIdentity;
  connect: (onLost: () => void) => NodeConnection;
  /** Called once, when the process has ended; not after `close()`. */
  onEnd: () => void;
}

export class OutsideWatch {
  readonly #options: WatchOptions;
  readonly #net: NodeJS.Timeout;
  #release: () => void = () => {};
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#net = setInterval(() => this.#look(), NET_INTERVAL_MS);
    void this.#follow();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#net);
    this.#release();
  }

  #look(): void {
    if (this.#closed || isRunning(this.#options.process)) return;
    this.close();
    this.#options.onEnd();
  }

  async #follow(): Promise<void> {
    while (!this.#closed) {
      await this.#untilLost();
      if (!this.#closed) await ended(this.#options.process, SETTLE_MS);
      this.#look();
    }
  }

  /** One connection: until it is lost, cannot be made, or is no longer wanted. */
  async #untilLost(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#release = resolve;
    const connection = this.#options.connect(resolve);
    const failed = connection.open().then(() => promise);
    await Promise.race([promise, failed.catch(() => {})]);
    connection.close();
  }
}
