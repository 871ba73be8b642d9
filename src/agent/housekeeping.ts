/** What an agent does for its machine all the time, whatever happens: files are tended, forks take turns, the disk is watched. */
import type { NodeId } from '../domain/ids.ts';
import type { GuardedDatabase } from '../domain/roster.ts';
import type { DiskSpace } from '../domain/view.ts';
import type { ForkRoom } from '../plan/forks.ts';
import type { Logger } from '../platform/log.ts';
import { DiskWatch } from './disk-watch.ts';
import { ForkKeeper, type ForkPorts } from './fork-keeper.ts';
import type { KeptLogs } from './kept-logs.ts';
import type { SupervisedNode } from './supervised-node.ts';

/** How often nodes are tended: so old is the copy of a nodes.conf at most. */
const TEND_INTERVAL_MS = 1_000;

export interface HousekeepingOptions {
  /** The nodes of the machine at that moment. */
  nodes: () => Iterable<SupervisedNode>;
  /** What of their logs is kept for an archive. */
  logs: KeptLogs;
  /** Where they are. */
  folder: string;
  /** Whether somebody heard it. */
  tellDisk: (disk: DiskSpace) => boolean;
  /** Of the fleet, as far as this machine was told of them. */
  databases: () => readonly GuardedDatabase[];
  /** What is told of a node has changed. */
  changed: (node: SupervisedNode) => void;
  forks: Partial<ForkPorts>;
  log: Logger;
}

export class Housekeeping {
  readonly #tending: NodeJS.Timeout;
  readonly #forks: ForkKeeper;
  readonly #disk: DiskWatch;

  constructor({ nodes, logs, folder, databases, tellDisk, changed, forks, log }: HousekeepingOptions) {
    this.#tending = setInterval(() => {
      for (const node of nodes()) void node.tend();
      logs.tend(nodes());
    }, TEND_INTERVAL_MS);
    this.#forks = new ForkKeeper({ ...forks, nodes, databases, changed, log });
    this.#disk = new DiskWatch(folder, tellDisk);
  }

  /** What a child of the node may take, and what there is. */
  forkRoom(id: NodeId): ForkRoom | null {
    return this.#forks.room(id);
  }

  close(): void {
    clearInterval(this.#tending);
    this.#forks.close();
    this.#disk.close();
  }
}
