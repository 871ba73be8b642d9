/** Who owns which slots, as nodes tell it in CLUSTER SLOTS, and what follows from how that changed. Pure. */
import { SLOT_COUNT } from '../../src/domain/slots.ts';
import type { Reply } from '../../src/resp/reply.ts';
import type { Address } from '../support/formation.ts';

/** Slots of one owner in a row. */
export interface Owned extends Address {
  from: number;
  to: number;
  id: string;
}

/** What CLUSTER SLOTS answers, without the replicas. */
export const ownedIn = (answer: Reply): Owned[] =>
  (answer as [number, number, [string, number, string]][]).map(([from, to, [host, port, id]]) => ({
    ...{ from, to, id, host, port },
  }));

/** The owners of a node's view, in the order of their slots, each with the number of its slots. */
export function ownersIn(owned: readonly Owned[]): (Address & { id: string; slots: number })[] {
  const byId = Map.groupBy(owned, ({ id }) => id);
  return [...byId].map(([id, ranges]) => ({
    ...{ id, host: ranges[0]!.host, port: ranges[0]!.port },
    slots: ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0),
  }));
}

/** A node's view from a moment on. */
export interface Sight {
  at: number;
  owned: readonly Owned[];
}

/** What a node told, one view after the other; each differs from the one before it. */
export interface Told {
  id: string;
  sights: Sight[];
}

/** Two views are of the same owners. */
export const isSame = (one: readonly Owned[], other: readonly Owned[]): boolean => textOf(one) === textOf(other);

const textOf = (owned: readonly Owned[]): string => owned.map(({ from, to, id }) => `${from}-${to} ${id}`).join();

/** Those that own slots in the end tell the same; null when they do not. */
export function agreed(told: readonly Told[]): readonly Owned[] | null {
  const last = told.map(({ id, sights }) => ({ id, owned: sights.at(-1)!.owned }));
  const staying = last.filter(({ id, owned }) => owned.some((one) => one.id === id));
  const [first] = staying;
  return first && staying.every(({ owned }) => isSame(owned, first.owned)) ? first.owned : null;
}

/**
 * When the last slot was placed: those who own slots in the end all told the final owners from then on. Who gave all away
 * is not asked: it leaves, or is reset.
 */
export function placedAt(told: readonly Told[]): number {
  const final = agreed(told);
  if (final === null) throw new Error('the primaries do not agree about the owners of slots');
  const staying = told.filter(({ id }) => final.some((one) => one.id === id));
  return Math.max(...staying.map(({ sights }) => sights.at(-1)!.at));
}

/** How many slots have another owner. */
export function movedSlots(before: readonly Owned[], after: readonly Owned[]): number {
  const [was, is] = [before, after].map(bySlot) as [string[], string[]];
  return was.filter((id, slot) => is[slot] !== id).length;
}

function bySlot(owned: readonly Owned[]): string[] {
  const ids = new Array<string>(SLOT_COUNT).fill('');
  for (const { from, to, id } of owned) ids.fill(id, from, to + 1);
  return ids;
}

/** All slots are owned, by so many, and nobody has much more or less than its share. */
export function isSpread(owned: readonly Owned[], shards: number): boolean {
  const owners = ownersIn(owned);
  const share = SLOT_COUNT / shards;
  const all = owners.reduce((sum, { slots }) => sum + slots, 0);
  return all === SLOT_COUNT && owners.length === shards && owners.every(({ slots }) => isNear(slots, share));
}

/** Valkeeper makes shares equal to 5 % of what slots hold, valkey-cli to 2 % of their number. */
const UNEVEN = 0.1;
const isNear = (slots: number, share: number): boolean => Math.abs(slots - share) <= share * UNEVEN;
