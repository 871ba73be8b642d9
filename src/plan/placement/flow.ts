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

  /**
   * Sends as much as can be sent, at the least cost for that much: unit after unit over the cheapest way that is left.
   * What once leaves the source is never taken back whole, only led another way.
   */
  send(source: number, sink: number): void {
    for (let way = this.#cheapestWay(source, sink); way; way = this.#cheapestWay(source, sink)) {
      for (const arc of way) {
        this.#arcs[arc]!.capacity -= 1;
        this.#arcs[this.#arcs[arc]!.back]!.capacity += 1;
      }
    }
  }

  /** Bellman and Ford's, with a queue; null when no way is left. */
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
        if (capacity === 0 || costs[node]! + cost >= costs[to]!) continue;
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
