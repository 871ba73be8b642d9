/**
 * How much may go wrong at once. Beyond what a fleet promises to survive nothing can be demanded of it:
 *
 *   - at most a minority of the machines is hurt (dark, cut off, slow, without its agent, ...) at a time;
 *   - of each shard at most so many copies are hit at a time as acknowledged writes have replicas, or, where none are
 *     waited for, as there are replicas. A copy counts until its shard was seen whole again, some time after its fault;
 *   - nothing is hit twice at a time.
 *
 * The control plane and endpoints are not counted: data must outlive them in any number.
 */
import { type Copy, type Picture, shardName } from './picture.ts';

/** What a fault touches. */
export interface Hit {
  /** Names of things that are hit by one fault at a time: machines, nodes, processes. */
  things: readonly string[];
  /** Machines that are hurt as a whole. */
  machines: readonly string[];
  copies: readonly Copy[];
}

/** After the end of a fault its traces may take so long to be seen: until then nothing counts as whole. */
const TRACE_MS = 4_000;

export class Budget {
  readonly #active = new Map<object, Hit>();
  /** By shard: copies, by node, that were hit since it was whole, with when that ended. */
  readonly #unwhole = new Map<string, Map<string, number>>();

  /** Null when it may happen now; else why not. */
  refusal({ things, machines, copies }: Hit, picture: Picture): string | null {
    const active = [...this.#active.values()];
    const busy = things.find((thing) => active.some((hit) => hit.things.includes(thing)));
    if (busy !== undefined) return `${busy} is hit already`;
    const hurt = new Set([...active.flatMap((hit) => hit.machines), ...machines]);
    if (machines.length > 0 && hurt.size > minorityOf(picture)) return `${hurt.size} machines would be hurt`;
    for (const [shard, ofShard] of Map.groupBy(copies, shardName)) {
      const limit = picture.limits.get(ofShard[0]!.database)!;
      const hit = new Set([...(this.#unwhole.get(shard)?.keys() ?? []), ...ofShard.map(({ nodeId }) => nodeId)]);
      if (hit.size > limit) return `${hit.size} copies of ${shard} would be hit`;
    }
    return null;
  }

  /** Nothing goes wrong, and everything was seen whole since. */
  get quiet(): boolean {
    return this.#active.size === 0 && this.#unwhole.size === 0;
  }

  /** It happens: `fault` is what it is known by until its end. */
  begin(fault: object, hit: Hit): void {
    this.#active.set(fault, hit);
    for (const copy of hit.copies) this.#copies(shardName(copy)).set(copy.nodeId, Number.POSITIVE_INFINITY);
  }

  end(fault: object, now: number): void {
    const hit = this.#active.get(fault);
    this.#active.delete(fault);
    for (const copy of hit?.copies ?? []) this.#copies(shardName(copy)).set(copy.nodeId, now);
  }

  /** The shard was seen with all of its copies in sync, by a look that began at `askedMs`. */
  whole(shard: string, askedMs: number): void {
    const ends = [...this.#copies(shard).values()];
    if (ends.every((endedMs) => endedMs + TRACE_MS <= askedMs)) this.#unwhole.delete(shard);
  }

  #copies(shard: string): Map<string, number> {
    const known = this.#unwhole.get(shard) ?? new Map<string, number>();
    this.#unwhole.set(shard, known);
    return known;
  }
}

const minorityOf = ({ machines }: Picture): number => Math.floor((machines.length - 1) / 2);
