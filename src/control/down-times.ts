/** Since when nodes have not run: a process that dies soon after each start has not run for any time worth the name. */
import type { NodeId } from '../domain/ids.ts';
import type { DownView, NodeView } from '../domain/view.ts';

/** A node that answered for so long ran well: what it dies of afterwards is another matter. */
const RAN_WELL_MS = 3_000;

interface Down extends DownView {
  /** When the latest process ended that counts. */
  lastDeathAt: number | null;
  upSince: number | null;
}

export class DownTimes {
  readonly #downs = new Map<NodeId, Down>();

  /** Takes down what is seen now. @returns since when the node has not run; null while it runs, or nobody knows */
  note(id: NodeId, { process, engine }: Pick<NodeView, 'process' | 'engine'>, now: number): DownView | null {
    if (process.state === 'unknown') return null;
    let down = this.#downs.get(id);
    const ranWell = down !== undefined && down.upSince !== null && now - down.upSince >= RAN_WELL_MS;
    if (process.state === 'running') {
      if (ranWell) this.#downs.delete(id);
      else if (down && engine.state === 'answering' && !engine.loading) down.upSince ??= now;
      return null;
    }
    if (!down || ranWell) {
      down = { since: now, deaths: 0, lastDeathAt: null, upSince: null };
      this.#downs.set(id, down);
    }
    down.upSince = null;
    if (process.state === 'exited' && process.at !== down.lastDeathAt) {
      down.lastDeathAt = process.at;
      down.deaths += 1;
    }
    return { since: down.since, deaths: down.deaths };
  }

  /** Forgets a node. */
  forget(id: NodeId): void {
    this.#downs.delete(id);
  }
}
