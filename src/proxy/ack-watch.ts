/**
 * How many replicas of each primary have what it had at some moment: asked of the primary again and again, as long as
 * anybody waits for it, with one question for all who wait.
 *
 * Not by WAIT on the connection that clients share: that would hold up all of them, and what it waits for is the last
 * write of any of them, which moves on and on. WAIT on another connection knows of no write. So the primary's offset is
 * taken once, and compared with what its replicas have acknowledged. They do so once a second, or when the primary asks
 * them, which a WAIT on a connection of ours makes it do.
 */
import type { Home } from './home.ts';
import { askOn } from './own-connection.ts';
import { parseReplication } from './replication-info.ts';

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 20;
/** More replicas than there are: never satisfied at once, so that they are asked. */
const ALL = 1_000_000;

/** One who waits for the replicas of one primary. */
export interface AckWaiter {
  /** Replicas that have it; 0 until that is known. */
  count: number;
  /** Of the history in which the primary wrote it; empty until that is known. */
  replid: string;
  /** Called with each look at the primary; and once with `isGone`, when it is not what it was when the waiting began. */
  looked(isGone: boolean): void;
}

/** How a waiter begins. */
export const NOTHING_KNOWN = { count: 0, replid: '' } as const;

interface Waiting {
  waiter: AckWaiter;
  /** What replicas must have; null until the primary was asked. */
  offset: number | null;
}

const WATCHES = new WeakMap<Home, Map<number, AckWatch>>();

/** The one for a node. */
export function ackWatch(home: Home, node: number): AckWatch {
  let watches = WATCHES.get(home);
  if (!watches) {
    watches = new Map();
    WATCHES.set(home, watches);
  }
  let watch = watches.get(node);
  if (!watch) {
    watch = new AckWatch(home, node);
    watches.set(node, watch);
  }
  return watch;
}

export class AckWatch {
  readonly #home: Home;
  readonly #node: number;
  readonly #waiting = new Map<AckWaiter, Waiting>();
  #pauseMs = FIRST_PAUSE_MS;
  #isLooking = false;
  #isNudging = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(home: Home, node: number) {
    this.#home = home;
    this.#node = node;
  }

  /** Everything that the primary has carried out until now counts. */
  join(waiter: AckWaiter): void {
    this.#waiting.set(waiter, { waiter, offset: null });
    this.#pauseMs = FIRST_PAUSE_MS;
    if (this.#isLooking) return; // the next look is the first that counts for it
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    void this.#look();
  }

  leave(waiter: AckWaiter): void {
    this.#waiting.delete(waiter);
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    const asked = [...this.#waiting.values()];
    const { adminLane, map } = this.#home;
    const upstream = adminLane.toPrimary(this.#node);
    const told = upstream === null ? null : parseReplication(await askOn(upstream, ['INFO', 'replication']));
    const isReplaced = told === null && !map.owners.includes(this.#node);
    for (const one of asked) {
      const isOther = told !== null && one.offset !== null && told.replid !== one.waiter.replid;
      if (told !== null && !isOther && told.isPrimary) {
        one.offset ??= told.offset;
        one.waiter.replid = told.replid;
        const { offset } = one;
        one.waiter.count = told.acknowledged.filter((acknowledged) => acknowledged >= offset).length;
      }
      one.waiter.looked(isReplaced || isOther || told?.isPrimary === false);
    }
    if (told === null) this.#home.suspect();
    this.#isLooking = false;
    if (this.#waiting.size === 0) return;
    this.#nudge();
    this.#timer = setTimeout(() => void this.#look(), this.#pauseMs);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
  }

  /** Has the primary ask its replicas. */
  #nudge(): void {
    if (this.#isNudging) return;
    const { adminLane } = this.#home;
    const upstream = adminLane.borrow(this.#node);
    if (upstream === null) return;
    this.#isNudging = true;
    void askOn(upstream, ['WAIT', ALL, 1]).then(() => {
      this.#isNudging = false;
      adminLane.giveBack(this.#node, upstream);
    });
  }
}
