/** What is under way to nodes that were replaced, and that they will not answer, or not soon. */
import type { Home } from './home.ts';
import type { Lane } from './lane.ts';
import type { Upstream } from './upstream.ts';

/** A connection to a node whose place its replica has taken is given so long to answer what it has. */
const DEMOTED_GRACE_MS = 200;
/** To one whose slots went to another shard: it drops their keys first, and answers then. */
const EMPTIED_GRACE_MS = 5_000;

export class Replaced {
  readonly #home: Home;
  readonly #lanes: () => Iterable<Lane>;

  constructor(home: Home, lanes: () => Iterable<Lane>) {
    this.#home = home;
    this.#lanes = lanes;
  }

  mapChanged(): void {
    const owners = new Set(this.#home.map.primaries());
    for (const lane of this.#lanes()) lane.settleReplaced(owners);
    const replaced = new Set([...owners].map((owner) => this.#home.map.nodes[owner]!.followed));
    this.#closeLater((index) => replaced.has(index), DEMOTED_GRACE_MS);
    this.#closeLater((index) => !replaced.has(index), EMPTIED_GRACE_MS);
  }

  #closeLater(isOne: (index: number) => boolean, graceMs: number): void {
    const suspects = this.#silent(isOne);
    if (suspects.size > 0) setTimeout(() => this.#closeSilent(suspects), graceMs).unref();
  }

  /** Commands on their way to a node that was replaced and says nothing would wait for ever. */
  #closeSilent(suspects: ReadonlyMap<Upstream, number>): void {
    const silent = this.#silent((_, upstream) => suspects.get(upstream) === upstream.bytesIn);
    for (const upstream of silent.keys()) upstream.close();
  }

  /** Connections with commands under way to nodes that own nothing and copy nothing, with the bytes they have sent. */
  #silent(isOne: (index: number, upstream: Upstream) => boolean): Map<Upstream, number> {
    const { map } = this.#home;
    const owners = new Set(map.primaries());
    const found = new Map<Upstream, number>();
    for (const lane of this.#lanes()) {
      for (const [index, upstream] of lane.open()) {
        const isOut = !owners.has(index) && map.nodes[index]!.primary < 0;
        if (isOut && upstream.inFlight > 0 && isOne(index, upstream)) found.set(upstream, upstream.bytesIn);
      }
    }
    return found;
  }
}
