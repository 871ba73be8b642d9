/** What to add to a fleet so that a rule can hold: the fewest machines, and how much memory each needs. */
import type { Addition } from '../../domain/placement.ts';
import { sizeAtLeast } from '../../domain/size.ts';
import { counted } from '../../domain/template.ts';
import { type Attainable, attainable, type Shape } from './bounds.ts';
import { type Fleet, openRooms } from './rooms.ts';

/**
 * The fewest machines, then the least memory, with which the best placement is good enough. Null when it is without.
 * Counting decides (`attainable`), so it is exact.
 */
export function whatToAdd(fleet: Fleet, shape: Shape, isEnough: (best: Attainable) => boolean): Addition | null {
  const open = openRooms(fleet);
  if (isEnough(attainable(open, shape, fleet.together))) return null;
  const suffices = (zones: readonly string[], fits: number): boolean =>
    isEnough(attainable([...open, ...zones.map((zone) => ({ zone, fits }))], shape, 1));
  const known = new Set(open.map(({ zone }) => zone));
  for (let machines = 1; machines <= Math.max(shape.copies, FEW); machines += 1) {
    const own = Array.from({ length: machines }, (_, index) => `${NEW_ZONE}${index}`);
    if (!suffices(own, shape.shards)) continue;
    const fits = leastOf(shape.shards, (some) => suffices(own, some));
    const bytes = fits * fleet.nodeBytes;
    const inOne = (zone: string): boolean =>
      suffices(
        Array.from({ length: machines }, () => zone),
        fits,
      );
    if (!inOne(NEW_ZONE)) return { machines, bytes, zone: 'new', notIn: [] };
    const notIn = [...known].filter((zone) => !inOne(zone));
    if (notIn.length > MAX_NAMED) return { machines, bytes, zone: 'new', notIn: [] };
    return { machines, bytes, zone: notIn.length === 0 ? 'any' : 'another', notIn };
  }
  return null;
}

/** Three machines with room for every shard are enough for any majority rule; as many as there are copies, for the others. */
const FEW = 3;
/** No zone is called so. */
const NEW_ZONE = '\0';
/** More zones than this are not named; a zone of its own is always right. */
const MAX_NAMED = 4;

/** The least number from 1 on that is enough, when the largest is and more is never worse. */
function leastOf(largest: number, isEnough: (number: number) => boolean): number {
  let [low, high] = [1, largest];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** `one machine with at least 340mb in another zone than a`. */
export function describeAddition({ machines, bytes, zone, notIn }: Addition): string {
  const what = machines === 1 ? 'one machine' : counted(machines, 'machine');
  const size = `at least ${sizeAtLeast(bytes)}${machines === 1 ? '' : ' each'} for nodes`;
  const where = {
    any: '',
    another: ` in another zone than ${notIn.join(', ').replace(/, ([^,]*)$/, ' and $1')}`,
    new: machines === 1 ? ' in a zone of its own' : ', each in a zone of its own',
  };
  return `${what} with ${size}${where[zone]}`;
}
