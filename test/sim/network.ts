/**
 * The network: places are joined by one-way links, each with a delay; what is sent over a link arrives in order. A link
 * can be cut and can be slow. A cut says nothing to either end.
 */
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** Where the control plane is, as agents and as nodes see it; and where agents and nodes are. */
export const CONTROL = 'control';
export const agentOf = (machine: string): string => `agent ${machine}`;
export const nodesOf = (machine: string): string => `nodes ${machine}`;

/** Bytes in a kernel's send buffer are tried again for this long; then the connection is lost with them. */
const HELD_MS = 10_000;

interface Held {
  since: number;
  deliver: () => void;
}

export class Network {
  readonly #timeline: Timeline;
  readonly #random: Random;
  /** How many cuts each link has. */
  readonly #cuts = new Map<string, number>();
  /** Longest extra delay of slow links, in milliseconds. */
  readonly #slow = new Map<string, number>();
  readonly #lastArrival = new Map<string, number>();
  readonly #held = new Map<string, Held[]>();

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  isOpen(from: string, to: string): boolean {
    return !this.#cuts.has(link(from, to));
  }

  cut(from: string, to: string): void {
    const key = link(from, to);
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
  }

  mend(from: string, to: string): void {
    const key = link(from, to);
    const cuts = (this.#cuts.get(key) ?? 0) - 1;
    if (cuts > 0) {
      this.#cuts.set(key, cuts);
      return;
    }
    this.#cuts.delete(key);
    const held = this.#held.get(key) ?? [];
    this.#held.delete(key);
    for (const { since, deliver } of held) {
      if (this.#timeline.now - since < HELD_MS) this.#carry(key, from, to, deliver);
    }
  }

  setSlow(from: string, to: string, delayMs: number): void {
    if (delayMs > 0) this.#slow.set(link(from, to), delayMs);
    else this.#slow.delete(link(from, to));
  }

  /** Sends what is not sent again: over a cut link it is lost. */
  send(from: string, to: string, deliver: () => void): void {
    if (this.isOpen(from, to)) this.#carry(link(from, to), from, to, deliver);
  }

  /** Sends over a connection: over a cut link it waits until the cut is mended. */
  stream(from: string, to: string, deliver: () => void): void {
    const key = link(from, to);
    if (this.isOpen(from, to)) {
      this.#carry(key, from, to, deliver);
      return;
    }
    const held = this.#held.get(key) ?? [];
    held.push({ since: this.#timeline.now, deliver });
    this.#held.set(key, held);
  }

  #carry(key: string, from: string, to: string, deliver: () => void): void {
    const now = this.#timeline.now;
    const usual = isLocal(from, to) ? this.#random.between(0.02, 0.1) : this.#random.between(0.1, 1.2);
    const slow = this.#slow.get(key);
    const arrival = Math.max(
      now + usual + (slow ? this.#random.next() * slow : 0),
      (this.#lastArrival.get(key) ?? 0) + 0.001,
    );
    this.#lastArrival.set(key, arrival);
    this.#timeline.after(arrival - now, deliver);
  }
}

const link = (from: string, to: string): string => `${from} > ${to}`;

/** Both are on one host: behind `agent ` and `nodes ` the machine is named. */
export const isLocal = (from: string, to: string): boolean => from.slice(6) === to.slice(6);
