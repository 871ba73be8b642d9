/** Flows of least cost through a small network: how much can be sent from a source to a sink, and over which arcs. */

interface Arc {
  to: number;
  /** What may still be sent. */
  capacity: number;
  cost: number;
  /** The same arc the other way round, by which sending can be taken back. */
  back: number;
}

export class Network {
  readonly #arcs: Arc[] = [];
  readonly #leaving: number[][] = [];

  /** @returns the new node */
  node(): number {
    this.#leaving.push([]);
    return this.#leaving.length - 1;
  }

  /** @returns the new arc; its cost is of each unit sent */
  arc(from: number, to: number, capacity: number, cost = 0): number {
    const arc = this.#arcs.length;
    this.#arcs.push({ to, capacity, cost, back: arc + 1 }, { to: from, capacity: 0, cost: -cost, back: arc });
    this.#leaving[from]!.push(arc);
    this.#leaving[to]!.push(arc + 1);
    return arc;
  }

  /** What is sent over an arc. */
  sent(arc: number): number {
    return this.#arcs[this.#arcs[arc]!.back]!.capacity;
  }

  /** Lets an arc take so much more, or less of what is not used of it. */
  widen(arc: number, by: number): void {
    this.#arcs[arc]!.capacity += by;
  }

  /**
   * Sends one unit more over the cheapest way that is left; what was sent before may be led another way for it, never
   * taken back whole. So all that is sent always costs the least for what left the source by each arc.
   * @returns whether there was a way
   */
  send(source: number, sink: number): boolean {
    const way = this.#cheapestWay(source, sink);
    if (way === null) return false;
    for (const arc of way) {
      this.#arcs[arc]!.capacity -= 1;
      this.#arcs[this.#arcs[arc]!.back]!.capacity += 1;
    }
    return true;
  }

  /**
   * Bellman and Ford's, with a queue; null when no way is left. It ends because no round trip costs less than nothing
   * as long as none goes through the source, where one unit could take the place of another.
   */
  #cheapestWay(source: number, sink: number): number[] | null {
    const costs = this.#leaving.map(() => Number.POSITIVE_INFINITY);
    const by: number[] = this.#leaving.map(() => -1);
    const queued = this.#leaving.map(() => false);
    const queue = [source];
    costs[source] = 0;
    for (const node of queue) {
      queued[node] = false;
      for (const index of this.#leaving[node]!) {
        const { to, capacity, cost } = this.#arcs[index]!;
        if (capacity === 0 || to === source || costs[node]! + cost >= costs[to]!) continue;
        costs[to] = costs[node]! + cost;
        by[to] = index;
        if (queued[to]) continue;
        queued[to] = true;
        queue.push(to);
      }
    }
    if (by[sink]! < 0) return null;
    const way: number[] = [];
    for (let node = sink; node !== source; node = this.#arcs[this.#arcs[way.at(-1)!]!.back]!.to) way.push(by[node]!);
    return way;
  }
}
