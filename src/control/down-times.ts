/** Since when nodes have not run: a process that dies soon after each start has not run for any time worth the name. */
import type { NodeId } from '../domain/ids.ts';
import type { ProcessView } from '../domain/view.ts';

/** A process that ran for so long ran well: what it dies of afterwards is another matter. */
const RAN_WELL_MS = 10_000;

export class DownTimes {
  readonly #downs = new Map<NodeId, { since: number; upSince: number | null }>();

  /** Takes down what is seen now. @returns since when the node has not run; null while it runs, or nobody knows */
  note(id: NodeId, process: ProcessView, now: number): number | null {
    if (process.state === 'unknown') return null;
    const down = this.#downs.get(id);
    const ranWell = down !== undefined && down.upSince !== null && now - down.upSince >= RAN_WELL_MS;
    if (process.state === 'running') {
      if (ranWell) this.#downs.delete(id);
      else if (down) down.upSince ??= now;
      return null;
    }
    const since = down && !ranWell ? down.since : now;
    this.#downs.set(id, { since, upSince: null });
    return since;
  }

  /** Forgets all other nodes. */
  keepOnly(ids: ReadonlySet<NodeId>): void {
    for (const id of this.#downs.keys()) if (!ids.has(id)) this.#downs.delete(id);
  }
}
