/** Every acknowledged write, who holds it, and what became of it: the judge of what is lost and by what. */
import type { NodeId } from '../../src/domain/ids.ts';
import type { Engine } from './engine/engine.ts';

export interface Write {
  /** Its slot range, which is its shard's index. */
  range: number;
  at: number;
  /** Its client was told OK: only then anything is promised. */
  acknowledged: boolean;
  /** Nodes that had it and lost it by a crash. */
  hits: Set<NodeId> | null;
  /** It had reached every replica that was in the stream when it was acknowledged, and one at least. */
  replicated: boolean;
  lost: boolean;
  /** A power cut took it from a disk that had not been flushed yet: nobody promised it any more. */
  exposed: boolean;
}

export interface Losses {
  /** By crashes alone: nobody could have kept them. */
  crash: number;
  /** Not replicated yet when another node took over: the price of asynchronous replication. */
  tail: number;
  /** How old the oldest write of such a tail was when it was lost, in milliseconds. */
  oldestTailMs: number;
}

/** Where copies of a shard's data are. */
export type Holders = (range: number) => Iterable<readonly number[]>;

export class Ledger {
  readonly writes: Write[] = [];
  readonly losses: Losses = { crash: 0, tail: 0, oldestTailMs: 0 };
  readonly #holders: Holders;
  /** So many replicas have what is acknowledged; it survives the loss of so many nodes. */
  readonly #promised: number;
  /** Up to where the logs of primaries were looked through for replicated writes. */
  readonly #looked = new WeakMap<readonly number[], number>();

  constructor(holders: Holders, promised: number) {
    this.#holders = holders;
    this.#promised = promised;
  }

  /** A client wrote; it is told OK at once, or when enough replicas have it. @returns the write's number */
  begin(range: number, at: number): number {
    const acknowledged = this.#promised === 0;
    this.writes.push({ range, at, acknowledged, hits: null, replicated: false, lost: false, exposed: false });
    return this.writes.length - 1;
  }

  /** Enough replicas have it: the client is told OK. */
  acknowledge(id: number): void {
    this.writes[id]!.acknowledged = true;
  }

  /** A node lost these by a crash. */
  hit(node: NodeId, log: readonly number[]): void {
    if (this.#promised === 0) return;
    for (const id of log) {
      const write = this.writes[id]!;
      write.hits ??= new Set();
      write.hits.add(node);
    }
  }

  /** Whether more copies were hit than it was promised to survive, or nothing was promised. */
  #isExcused({ acknowledged, hits }: Write): boolean {
    return !acknowledged || (hits?.size ?? 0) > this.#promised;
  }

  /** A primary's replicas have applied something. */
  replicated({ replication }: Engine): void {
    if (!replication.hasStream) return;
    const { log, common } = replication;
    for (let at = this.#looked.get(log) ?? 0; at < common; at += 1) this.writes[log[at]!]!.replicated = true;
    this.#looked.set(log, Math.max(this.#looked.get(log) ?? 0, common));
  }

  /** A new owner took over: of what it and its fellows lack nothing is promised any more. */
  expose(range: number, known: ReadonlySet<number>): void {
    this.writes.forEach((write, id) => {
      if (write.range === range && !known.has(id) && !write.lost) write.replicated = false;
    });
  }

  /**
   * A copy is gone.
   * @param why null: by a step or decision
   * @returns the writes that nobody holds any more, though they were promised to last
   */
  dropped(range: number, log: readonly number[], why: 'crash' | 'unwanted' | null, now: number): number[] {
    if (log.length === 0) return [];
    const kept = new Set<number>();
    for (const other of this.#holders(range)) for (const id of other) kept.add(id);
    const dropped: number[] = [];
    for (const id of log) {
      const write = this.writes[id]!;
      if (write.lost || kept.has(id)) continue;
      write.lost = true;
      if (this.#promised > 0) {
        if (why !== 'unwanted' && !this.#isExcused(write)) dropped.push(id);
        else if (write.acknowledged) this.losses.crash += 1;
      } else if (why !== null || write.exposed) this.losses.crash += 1;
      else if (write.replicated) dropped.push(id);
      else {
        this.losses.tail += 1;
        this.losses.oldestTailMs = Math.max(this.losses.oldestTailMs, now - write.at);
      }
    }
    return dropped;
  }
}
