/**
 * Scripts that run for long. They travel over connections that are shared, on which nothing behind them is answered: who
 * comes later would wait in silence, where the engine says BUSY. So a primary whose script does not end is asked, over
 * another connection, and what it says is the answer to commands for it until the script has ended.
 */
import { ReplyError } from '../resp/reply.ts';
import type { Call } from './call.ts';
import { FLAGS } from './commands/facts.ts';
import { askNode } from './gather.ts';
import type { BusyNodes, Home, RunningScript } from './home.ts';
import { slotOfKeys } from './routing.ts';

/** A script that has run for less is not asked about. */
const YOUNG_MS = 20;

export class Busy implements BusyNodes {
  readonly #running = new Set<RunningScript>();
  /** By node: its error. */
  readonly #errors = new Map<number, string>();
  readonly #asked = new Set<number>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
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
  check(home: Home): void {
    if (this.#running.size === 0) return;
    const before = performance.now() - YOUNG_MS;
    for (const { node, since } of this.#running) {
      if (node < 0 || since > before || this.#errors.has(node) || this.#asked.has(node)) continue;
      this.#asked.add(node);
      void askNode(home, node, ['PING']).then((reply) => {
        this.#asked.delete(node);
        if (!(reply instanceof ReplyError) || reply.code !== 'BUSY') return;
        if (![...this.#running].some((one) => one.node === node)) return;
        this.#errors.set(node, reply.message);
        this.#changed();
      });
    }
  }

  /** The error for a command that a busy primary would have a part in; null when there is none. */
  errorFor(call: Call): string | null {
    const { command, home, session } = call;
    if ((command.facts.flags & FLAGS.allow_busy) !== 0) return null;
    if (command.name === 'exec') {
      const error = session.transaction && this.#errorAt(home, session.transaction.slot);
      return error && `EXECABORT Transaction discarded because of: ${error}`;
    }
    const [any] = this.#errors.values();
    if (command.policy.kind === 'all' || command.policy.kind === 'split' || command.name === 'ping') return any!;
    if (command.policy.kind === 'own' && command.name.startsWith('client|')) return null;
    const found = slotOfKeys(call);
    return 'error' in found ? null : this.#errorAt(home, found.slot);
  }

  #errorAt({ map, sender }: Home, slot: number): string | null {
    return this.#errors.get(slot < 0 ? sender.home : map.owners[slot]!) ?? null;
  }
}
