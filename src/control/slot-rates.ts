/** How much is written to each slot of a node of late: what its counters grew by from one look to the next. */
import type { NodeId } from '../domain/ids.ts';
import type { SlotStats } from '../valkey/slot-stats.ts';

/** Between two looks: less tells nothing yet, and what was long ago nothing any more. */
const WINDOW_MS = { least: 100, most: 60_000 };

interface Look {
  at: number;
  bytesIn: ReadonlyMap<number, number>;
}

export class SlotRates {
  readonly #looks = new Map<NodeId, Look>();

  /**
   * Takes a look.
   * @param at milliseconds, of any clock that goes forward
   * @returns bytes a second by slot; empty when there is no earlier look to compare with
   */
  note(node: NodeId, stats: ReadonlyMap<number, SlotStats>, at: number): ReadonlyMap<number, number> {
    const before = this.#looks.get(node);
    const passedMs = before ? at - before.at : 0;
    const rates = new Map<number, number>();
    if (before && passedMs < WINDOW_MS.least) return rates;
    this.#looks.set(node, { at, bytesIn: new Map([...stats].map(([slot, { bytesIn }]) => [slot, bytesIn])) });
    if (!before || passedMs > WINDOW_MS.most) return rates;
    for (const [slot, { bytesIn }] of stats) {
      const grown = bytesIn - (before.bytesIn.get(slot) ?? bytesIn);
      if (grown > 0) rates.set(slot, (grown * 1_000) / passedMs);
    }
    return rates;
  }

  /** The nodes are gone. */
  forget(nodes: readonly NodeId[]): void {
    for (const node of nodes) this.#looks.delete(node);
  }
}
