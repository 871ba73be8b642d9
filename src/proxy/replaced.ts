/** What is under way to nodes that were replaced, and that they will not answer, or not soon. */
import type { Home } from './home.ts';
import type { Lane } from './lane.ts';
import type { Upstream } from './upstream.ts';

/** A connection to a node that no longer owns anything is given so long to answer what it has. */
const DEMOTED_GRACE_MS = 200;

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
    const suspects = this.#silent(() => true);
    if (suspects.size > 0) setTimeout(() => this.#closeSilent(suspects), DEMOTED_GRACE_MS).unref();
  }

  /** Commands on their way to a node that was replaced and says nothing would wait for ever. */
  #closeSilent(suspects: ReadonlyMap<Upstream, number>): void {
    const silent = this.#silent((upstream) => suspects.get(upstream) === upstream.bytesIn);
    for (const upstream of silent.keys()) upstream.close();
  }

  /** Connections with commands under way to nodes that own nothing and copy nothing, with the bytes they have sent. */
  #silent(isOne: (upstream: Upstream) => boolean): Map<Upstream, number> {
    const { map } = this.#home;
    const owners = new Set(map.primaries());
    const found = new Map<Upstream, number>();
    for (const lane of this.#lanes()) {
      for (const [index, upstream] of lane.open()) {
        const isOut = !owners.has(index) && map.nodes[index]!.primary < 0;
        if (isOut && upstream.inFlight > 0 && isOne(upstream)) found.set(upstream, upstream.bytesIn);
      }
    }
    return found;
  }
}
