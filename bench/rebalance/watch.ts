/**
 * A bystander of slots on their way, the same for all systems: asks every primary again and again who owns which slots,
 * and, until something moves, whether a job or a slot is on its way.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isMyself, parseClusterNodes } from '../../src/valkey/cluster-nodes.ts';
import { EngineUnreachable } from '../../src/valkey/connection.ts';
import { MIGRATIONS_QUESTION, parseSlotMigrations } from '../../src/valkey/slot-migrations.ts';
import { nowMs } from '../faults/clock.ts';
import { until } from '../faults/wait.ts';
import type { Nodes } from './nodes.ts';
import { agreed, isSame, movedSlots, type Owned, ownedIn, ownersIn, placedAt, type Told } from './slots.ts';

const POLL_MS = 10;
/** For those who have not heard of the last owner yet. */
const SPREADING_MS = 10_000;

/** `nowMs()` of the moments between which slots moved. */
export interface Span {
  beganAt: number;
  placedAt: number;
  slots: number;
  owned: readonly Owned[];
}

interface Watched extends Told {
  host: string;
  port: number;
  /** Jobs of before. */
  jobs: ReadonlySet<string>;
}

export class SlotWatch {
  readonly #nodes: Nodes;
  readonly #told: readonly Watched[];
  readonly #begun: () => void;
  readonly #polls: Promise<void>[];
  #beganAt: number | null = null;
  #failure: unknown = null;
  #over = false;

  private constructor(nodes: Nodes, told: readonly Watched[], begun: () => void) {
    this.#nodes = nodes;
    this.#begun = begun;
    this.#told = told;
    this.#polls = told.map((one) => this.#poll(one));
  }

  /**
   * Of the primaries that own these slots. Those that come later are not asked: slots come from those that are there.
   * @param begun called when the first is seen on its way
   */
  static async begin(nodes: Nodes, owned: readonly Owned[], begun: () => void): Promise<SlotWatch> {
    const told = ownersIn(owned).map(async (owner) => {
      const jobs = parseSlotMigrations(await nodes.at(owner).command(...MIGRATIONS_QUESTION));
      const sights = [{ at: nowMs(), owned: await nodes.owned(owner) }];
      return { ...owner, sights, jobs: new Set(jobs.map(({ name }) => name)) };
    });
    return new SlotWatch(nodes, await Promise.all(told), begun);
  }

  /** Waits until all who stay tell the same owners, and so many own slots. @throws Error when nothing has moved */
  async end(shards: number): Promise<Span> {
    const isAgreed = (): true | null => {
      const owned = agreed(this.#told);
      return owned !== null && ownersIn(owned).length === shards ? true : null;
    };
    await until(`primaries tell the same ${shards} owners of slots`, async () => isAgreed(), SPREADING_MS);
    await this[Symbol.asyncDispose]();
    if (this.#failure !== null) throw this.#failure;
    if (this.#beganAt === null) throw new Error('no slot was seen to move');
    const owned = agreed(this.#told)!;
    const slots = movedSlots(this.#told[0]!.sights[0]!.owned, owned);
    return { beganAt: this.#beganAt, placedAt: placedAt(this.#told), slots, owned };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await Promise.all(this.#polls);
  }

  async #poll(one: Watched): Promise<void> {
    while (!this.#over) {
      try {
        const isMoving = await this.#look(one);
        if (isMoving && this.#beganAt === null) {
          this.#beganAt = nowMs();
          this.#begun();
        }
      } catch (error) {
        // One that was taken out does not answer any more.
        if (!(error instanceof EngineUnreachable)) this.#failure ??= error;
      }
      await sleep(POLL_MS);
    }
  }

  /** True when slots are on their way, or were. */
  async #look(one: Watched): Promise<boolean> {
    const { sights, jobs } = one;
    const node = this.#nodes.at(one);
    const hasBegun = this.#beganAt !== null;
    const [slots, ...more] = await node.pipeline([
      ['CLUSTER', 'SLOTS'],
      ...(hasBegun ? [] : [['CLUSTER', 'NODES'], MIGRATIONS_QUESTION]),
    ]);
    const owned = ownedIn(slots!);
    if (!isSame(owned, sights.at(-1)!.owned)) sights.push({ at: nowMs(), owned });
    if (sights.length > 1 || hasBegun) return true;
    const isOnTheWay = parseClusterNodes(String(more[0])).some((line) => isMyself(line) && line.moving.length > 0);
    return isOnTheWay || parseSlotMigrations(more[1]!).some(({ name }) => !jobs.has(name));
  }
}
