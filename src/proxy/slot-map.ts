/**
 * Who owns which slot, as far as nodes have told. Every node's word is taken for what it says, in whatever order the
 * answers come: of two owners of a slot the one with the higher config epoch is right (Valkey cluster specification).
 */
import { SLOT_COUNT } from '../domain/slots.ts';
import type { ClusterNodeLine } from '../valkey/cluster-nodes.ts';

/** A node as the endpoint reaches it. Its index stays its own as long as the map lives. */
export interface NodePlace {
  readonly index: number;
  readonly id: string;
  host: string;
  port: number;
  zone: string;
  /** Whose certificate it shows; empty while it is not known. */
  machine: string;
  /** Index of the primary it follows; -1 for a primary. */
  primary: number;
  /** The one that it followed last, if it ever did; -1: none. */
  followed: number;
  /** Until when it is known to have all that was written `READ_LAG_MS` ago; milliseconds of the monotonic clock. */
  freshUntil: number;
}

export class SlotMap {
  /** Index of the owner, -1 where none is known. */
  readonly owners = new Int16Array(SLOT_COUNT).fill(-1);
  readonly nodes: NodePlace[] = [];
  /** Grows by one with every change of an owner. */
  version = 1;
  readonly #epochs = new Float64Array(SLOT_COUNT);
  /** 1: by MOVED, which tells no epoch. */
  readonly #isHearsay = new Uint8Array(SLOT_COUNT);
  readonly #byId = new Map<string, NodePlace>();

  /** A node that is known to exist; its address is brought up to date. */
  place(id: string, host: string, port: number, zone: string | null, machine: string | null = null): NodePlace {
    let node = this.#byId.get(id);
    if (node === undefined) {
      node = {
        index: this.nodes.length,
        id,
        host,
        port,
        zone: '',
        machine: '',
        primary: -1,
        followed: -1,
        freshUntil: 0,
      };
      this.nodes.push(node);
      this.#byId.set(id, node);
    }
    node.host = host;
    node.port = port;
    if (zone !== null) node.zone = zone;
    if (machine !== null) node.machine = machine;
    return node;
  }

  /** The latest at this address: those that were there before are gone. */
  at(host: string, port: number): NodePlace | undefined {
    return this.nodes.findLast((node) => node.host === host && node.port === port);
  }

  byId(id: string): NodePlace | undefined {
    return this.#byId.get(id);
  }

  /** Takes one node's answer to CLUSTER NODES. @returns whether a slot has another owner now */
  learn(lines: readonly ClusterNodeLine[], asked: { host: string; port: number }): boolean {
    const before = this.version;
    for (const line of lines) {
      if (line.flags.includes('handshake') || line.flags.includes('noaddr')) continue;
      const isMyself = line.flags.includes('myself');
      const host = line.host || (isMyself ? asked.host : '');
      if (host === '' || line.port === 0) continue;
      const node = this.place(line.id, host, line.port, null);
      if (line.role === 'primary') this.#own(node.index, line, isMyself);
    }
    for (const line of lines) {
      const node = this.#byId.get(line.id);
      if (!node) continue;
      node.primary = line.role === 'replica' && line.primaryId ? (this.#byId.get(line.primaryId)?.index ?? -1) : -1;
      if (node.primary >= 0) node.followed = node.primary;
    }
    return this.version !== before;
  }

  #own(index: number, { slots, configEpoch }: ClusterNodeLine, isMyself: boolean): void {
    let changed = false;
    for (const [from, to] of slots) {
      for (let slot = from; slot <= to; slot += 1) {
        const owner = this.owners[slot]!;
        const epoch = this.#epochs[slot]!;
        const isAgain = isMyself && configEpoch === epoch && this.#isHearsay[slot] === 1;
        if (owner === index) {
          if (configEpoch <= epoch) continue;
        } else if (owner < 0 || configEpoch > epoch || isAgain) {
          this.owners[slot] = index;
          changed = true;
        } else continue;
        this.#epochs[slot] = configEpoch;
        this.#isHearsay[slot] = 0;
      }
    }
    if (changed) this.version += 1;
  }

  /**
   * A node said MOVED: believed until a node with a higher epoch says otherwise, or who was the owner before says itself
   * that it still is: the one that said MOVED may not know yet that the node it names was replaced.
   */
  moved(slot: number, node: NodePlace): void {
    if (this.owners[slot] === node.index) return;
    this.owners[slot] = node.index;
    this.#isHearsay[slot] = 1;
    this.version += 1;
  }

  /** Indices of the nodes that own slots, by their first slot. */
  primaries(): number[] {
    const found: number[] = [];
    const seen = new Set<number>([-1]);
    let last = -1;
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      const owner = this.owners[slot]!;
      if (owner === last) continue;
      last = owner;
      if (seen.has(owner)) continue;
      seen.add(owner);
      found.push(owner);
    }
    return found;
  }

  /** Replicas of a primary, as last told. */
  replicasOf(primary: number): NodePlace[] {
    return this.nodes.filter((node) => node.primary === primary && node.index !== primary);
  }

  get isComplete(): boolean {
    return !this.owners.includes(-1);
  }

  /** The last slot of the run that begins at `slot` and has one owner. */
  runEnd(slot: number): number {
    const owner = this.owners[slot]!;
    let end = slot;
    while (end + 1 < SLOT_COUNT && this.owners[end + 1] === owner) end += 1;
    return end;
  }
}
