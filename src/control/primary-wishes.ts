/** Who is to be primary, as people ask for it: checked on a look of its own, stored, and brought about by the database's loop. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/event.ts';
import { shortId } from '../domain/ids.ts';
import { switchoverOf, withWish } from '../plan/switchover.ts';
import { type TakeoverWish, takeoverOf, withOverride } from '../plan/takeover.ts';
import type { Clock } from '../platform/clock.ts';
import type { SwitchoverDocument, TakeoverDocument } from '../protocol/api.ts';
import type { Databases } from './databases.ts';
import type { Observer } from './observer.ts';

export interface WishSurroundings {
  databases: Databases;
  observer: Observer;
  clock: Clock;
  record: (event: NewEvent) => void;
  wake: (database: string) => void;
  /** @throws stopping while the fleet stops */
  requireRunning: () => void;
}

export class PrimaryWishes {
  readonly #around: WishSurroundings;

  constructor(around: WishSurroundings) {
    this.#around = around;
  }

  /** @throws what `ControlPlane.switchOver` throws */
  async switchOver(name: string, shard: string, to?: string): Promise<SwitchoverDocument> {
    const { clock, databases, observer, record, wake } = this.#around;
    const present = this.#present(name);
    const wish = switchoverOf(present, await observer.observe(present), shard, to);
    await databases.change(name, (one) => withWish(one, wish, clock.now()));
    const message = `${shortId(wish.to)} is to take the place of ${shortId(wish.from)} as the primary of ${shard}.`;
    record({ kind: 'switchover_asked', severity: 'info', database: name, shard, node: wish.to, message });
    wake(name);
    return wish;
  }

  /** @throws what `ControlPlane.takeOver` throws */
  async takeOver(name: string, shard: string, wish: TakeoverWish): Promise<TakeoverDocument> {
    const { clock, databases, observer, record, wake } = this.#around;
    const present = this.#present(name);
    const takeover = takeoverOf(present, await observer.observe(present), shard, wish);
    await databases.change(name, (one) => withOverride(one, takeover, wish, clock.now()));
    const { from, to } = takeover;
    const { machine } = present.nodes.find(({ id }) => id === from)!;
    const off = [machine, ...wish.alsoOff].join(' and ');
    const message = `${shortId(to)} is to take the place of ${shortId(from)} as the primary of ${shard}, since ${off} was said to be off.`;
    const about = { database: name, shard, node: to, machine, message };
    record({ kind: 'takeover_asked', severity: 'warning', ...about });
    wake(name);
    return takeover;
  }

  #present(name: string): Database {
    this.#around.requireRunning();
    const present = this.#around.databases.get(name);
    if (present.deleting) throw new ValkeeperError('being_deleted', { name });
    return present;
  }
}
