/** How often a node lately had to wait for its disk: the engine only counts since its start. */
import type { NodeId } from '../domain/ids.ts';

const LATELY_MS = 60_000;

export class RecentDelays {
  readonly #seen = new Map<NodeId, { total: number; grown: { at: number; by: number }[] }>();

  /** @param total as the engine counts. @returns by how much it has grown within the last minute */
  note(id: NodeId, total: number, now: number): number {
    const before = this.#seen.get(id);
    // Seen for the first time, or the process is another one: what was before is nobody's knowledge.
    const by = before && total >= before.total ? total - before.total : 0;
    const grown = (before?.grown ?? []).filter(({ at }) => now - at < LATELY_MS);
    if (by > 0) grown.push({ at: now, by });
    this.#seen.set(id, { total, grown });
    return grown.reduce((sum, one) => sum + one.by, 0);
  }

  forget(id: NodeId): void {
    this.#seen.delete(id);
  }
}
