/** Counts the keys of commands, slot by slot. */
import { keySlot } from '../domain/key-slot.ts';
import type { HotKey } from '../protocol/api.ts';

const KEYS_TOLD = 3;
/** Of one slot; beyond it further keys are counted for the slot only: they are not hot. */
const MAX_KEYS = 1_000;

export class KeyCounts {
  readonly #bySlot: ReadonlyMap<number, { total: number; keys: Map<string, number> }>;

  /** @param slots those of interest */
  constructor(slots: readonly number[]) {
    this.#bySlot = new Map(slots.map((slot) => [slot, { total: 0, keys: new Map<string, number>() }]));
  }

  /**
   * A command with its name. All its keys have one slot; of its arguments the first that has a slot of interest counts as
   * the key. (Of 16,384 other arguments one would be taken for a key.)
   */
  note([, ...args]: readonly string[]): void {
    for (const key of args) {
      const slot = this.#bySlot.get(keySlot(key));
      if (!slot) continue;
      slot.total += 1;
      const count = slot.keys.get(key);
      if (count !== undefined || slot.keys.size < MAX_KEYS) slot.keys.set(key, (count ?? 0) + 1);
      return;
    }
  }

  /** Each with its part of the slot's commands, 0 to 1. */
  hottest(): Map<number, HotKey[]> {
    const found = [...this.#bySlot].filter(([, { total }]) => total > 0);
    return new Map(
      found.map(([slot, { total, keys }]) => {
        const sorted = [...keys].sort(([, a], [, b]) => b - a).slice(0, KEYS_TOLD);
        return [slot, sorted.map(([key, count]) => ({ key, share: count / total }))];
      }),
    );
  }
}
