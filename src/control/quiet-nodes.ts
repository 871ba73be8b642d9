/** Which nodes no client uses: where nobody would notice a wait, slots need not move in small jobs. */
import type { NodeId } from '../domain/ids.ts';

/** Between two looks: less tells nothing yet, and what was long ago nothing any more. */
const WINDOW_MS = { least: 100, most: 60_000 };

interface Look {
  at: number;
  calls: number;
  isQuiet: boolean;
}

export class QuietNodes {
  readonly #looks = new Map<NodeId, Look>();

  /**
   * Takes a look.
   * @param calls of clients, since the node's start
   * @param at milliseconds, of any clock that goes forward
   * @returns true when no client has had anything carried out since the look before; false also when there is none
   */
  note(node: NodeId, calls: number, at: number): boolean {
    const before = this.#looks.get(node);
    const passedMs = before ? at - before.at : 0;
    if (before && passedMs < WINDOW_MS.least && calls === before.calls) return before.isQuiet;
    const isQuiet = before !== undefined && calls === before.calls && passedMs <= WINDOW_MS.most;
    this.#looks.set(node, { at, calls, isQuiet });
    return isQuiet;
  }

  /** The nodes are gone. */
  forget(nodes: readonly NodeId[]): void {
    for (const node of nodes) this.#looks.delete(node);
  }
}
