/**
 * From one node to another without a message lost or heard twice: the old one is heard until the new one has been
 * subscribed to for a while, and what came from the new one meanwhile is kept. What is left of it, without what the old
 * one has told, follows when the old one is left.
 *
 *     joining -- the new one has it all --> both -- a while --> leaving -- the old one has ended it --> over
 */
import type { MessageHead } from './subscription-link.ts';

/** A message, and its bytes. */
export interface KeptMessage {
  push: MessageHead;
  bytes: Buffer;
}

export class Handover {
  /** The new one. */
  readonly node: number;
  stage: 'joining' | 'both' | 'leaving' = 'joining';
  readonly #kept: KeptMessage[] = [];
  /** How often the old one has told the same. */
  readonly #told = new Map<string, number>();

  constructor(node: number) {
    this.node = node;
  }

  /** A message from the new one. */
  keep(push: MessageHead, bytes: Buffer): void {
    this.#kept.push({ push, bytes });
  }

  /** A message from the old one. */
  tell(bytes: Buffer): void {
    const text = bytes.toString('latin1');
    this.#told.set(text, (this.#told.get(text) ?? 0) + 1);
  }

  /** What only the new one has told. */
  rest(): KeptMessage[] {
    return this.#kept.filter(({ bytes }) => {
      const text = bytes.toString('latin1');
      const times = this.#told.get(text) ?? 0;
      this.#told.set(text, times - 1);
      return times <= 0;
    });
  }
}
