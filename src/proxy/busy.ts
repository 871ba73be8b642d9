/**
 * Scripts that run for long. They travel over connections that are shared, on which nothing behind them is answered: who
 * comes later would wait in silence, where the engine says BUSY. So a primary whose script does not end is asked, over
 * another connection, and what it says is the answer to commands for it until the script has ended.
 */
import { type Reply, ReplyError } from '../resp/reply.ts';

/** A script that has run for less is not asked about. */
const YOUNG_MS = 20;

export interface RunningScript {
  /** The index of the node it was sent to. */
  readonly node: number;
  readonly since: number;
}

export class Busy {
  readonly #running = new Set<RunningScript>();
  /** By node: its error. */
  readonly #errors = new Map<number, string>();
  readonly #asked = new Set<number>();
  readonly #ping: (node: number) => Promise<Reply>;
  readonly #changed: () => void;

  constructor(ping: (node: number) => Promise<Reply>, changed: () => void) {
    this.#ping = ping;
    this.#changed = changed;
  }

  get isOn(): boolean {
    return this.#errors.size > 0;
  }

  begin(node: number): RunningScript {
    const running = { node, since: performance.now() };
    this.#running.add(running);
    return running;
  }

  end(running: RunningScript): void {
    this.#running.delete(running);
    if (this.#errors.size === 0 || [...this.#running].some(({ node }) => node === running.node)) return;
    if (this.#errors.delete(running.node)) this.#changed();
  }

  /** To be called now and then. */
  check(): void {
    if (this.#running.size === 0) return;
    const before = performance.now() - YOUNG_MS;
    for (const { node, since } of this.#running) {
      if (node < 0 || since > before || this.#errors.has(node) || this.#asked.has(node)) continue;
      this.#asked.add(node);
      void this.#ping(node).then((reply) => {
        this.#asked.delete(node);
        if (!(reply instanceof ReplyError) || reply.code !== 'BUSY') return;
        if (![...this.#running].some((one) => one.node === node)) return;
        this.#errors.set(node, reply.message);
        this.#changed();
      });
    }
  }

  /** What a busy primary says; null when it is not busy. */
  errorAt(node: number): string | null {
    return this.#errors.get(node) ?? null;
  }

  /** What any busy primary says. */
  get error(): string | null {
    return [...this.#errors.values()][0] ?? null;
  }
}
