/**
 * Which primaries have as many replicas that acknowledge as a write must reach. Where they are missing, no connection for
 * writes is opened, so that writes wait and are then refused with nothing done, rather than end with an unknown outcome.
 *
 *     shut --asked for--> a primary's replicas are watched --enough acknowledge--> open --WAIT in vain, lost--> shut
 */
import { encodeCommand } from '../resp/encode.ts';
import { type AckWaiter, ackWatch, NOTHING_KNOWN } from './ack-watch.ts';
import type { Acknowledging } from './acknowledging.ts';
import type { Home } from './home.ts';
import { successorOf } from './successor.ts';

/** A primary that nobody wants to write to for so long is no longer watched. */
const ASKED_FOR_MS = 1_000;

interface Watched {
  waiter: AckWaiter;
  lastAskedFor: number;
}

export class ReplicaGate implements Acknowledging {
  readonly #home: Home;
  readonly #opened: () => void;
  #count = 0;
  #command: Buffer = Buffer.alloc(0);
  readonly #open = new Set<number>();
  readonly #watched = new Map<number, Watched>();
  /** In which history of each primary what is written now is written, or was when it still was one. */
  readonly #histories = new Map<number, string>();

  /** `opened`: what waits may be sent. */
  constructor(home: Home, opened: () => void) {
    this.#home = home;
    this.#opened = opened;
  }

  get count(): number {
    return this.#count;
  }

  get command(): Buffer {
    return this.#command;
  }

  /** From now on so many replicas must have a write; 0: none. */
  require(count: number): void {
    if (count === this.#count) return;
    this.#count = count;
    this.#command = encodeCommand(['WAIT', count, this.#home.limits.acknowledgeMs]);
    this.#open.clear();
    this.close();
    this.#opened();
  }

  isOpen(node: number): boolean {
    if (this.#open.has(node)) return true;
    const watched = this.#watched.get(node);
    if (watched) watched.lastAskedFor = performance.now();
    else this.#watch(node);
    return false;
  }

  shut(node: number): void {
    this.#open.delete(node);
  }

  async reached(node: number): Promise<boolean> {
    const untilMs = performance.now() + this.#home.limits.acknowledgeMs;
    const end = await this.#reachedFrom(node, untilMs);
    return end === 'gone' ? this.#reachedLater(node, untilMs) : end === 'reached';
  }

  reachedBySuccessor(node: number): Promise<boolean> {
    return this.#reachedLater(node, performance.now() + this.#home.limits.acknowledgeMs);
  }

  /** By the replicas of the one that took over from this primary with everything it had. */
  async #reachedLater(node: number, untilMs: number): Promise<boolean> {
    const successor = await successorOf(this.#home, node, this.#histories.get(node) ?? '', untilMs);
    return successor !== null && (await this.#reachedFrom(successor, untilMs)) === 'reached';
  }

  /** `gone`: it is no primary any more, or another than it was. */
  #reachedFrom(node: number, untilMs: number): Promise<'reached' | 'late' | 'gone'> {
    const watch = ackWatch(this.#home, node);
    const { promise, resolve } = Promise.withResolvers<'reached' | 'late' | 'gone'>();
    const end = (how: 'reached' | 'late' | 'gone'): void => {
      clearTimeout(timer);
      watch.leave(waiter);
      if (how !== 'reached') this.shut(node);
      resolve(how);
    };
    const waiter: AckWaiter = {
      ...NOTHING_KNOWN,
      looked: (isGone) => {
        if (isGone) end('gone');
        else if (waiter.count >= this.#count) end('reached');
      },
    };
    const timer = setTimeout(() => end('late'), untilMs - performance.now());
    watch.join(waiter);
    return promise;
  }

  /** Primaries that are none any more are not known to have replicas when they are one again. */
  keepOnly(primaries: readonly number[]): void {
    for (const node of [...this.#open]) if (!primaries.includes(node)) this.#open.delete(node);
  }

  close(): void {
    for (const node of [...this.#watched.keys()]) this.#leave(node);
  }

  #watch(node: number): void {
    const waiter: AckWaiter = {
      ...NOTHING_KNOWN,
      looked: (isGone) => {
        const watched = this.#watched.get(node);
        if (watched?.waiter !== waiter) return;
        const isEnough = !isGone && waiter.count >= this.#count;
        if (!isEnough && !isGone && performance.now() - watched.lastAskedFor < ASKED_FOR_MS) return;
        this.#leave(node);
        if (!isEnough) return;
        this.#open.add(node);
        this.#histories.set(node, waiter.replid);
        this.#opened();
      },
    };
    this.#watched.set(node, { waiter, lastAskedFor: performance.now() });
    ackWatch(this.#home, node).join(waiter);
  }

  #leave(node: number): void {
    const watched = this.#watched.get(node);
    this.#watched.delete(node);
    if (watched) ackWatch(this.#home, node).leave(watched.waiter);
  }
}
