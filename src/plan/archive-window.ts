/** Which moments an archive can restore, and out of what: arithmetic over what lies in its place. */
import type { Span } from '../domain/archive.ts';
import type { NodeId } from '../domain/ids.ts';
import type { SlotRange } from '../domain/slots.ts';

/** One node's data at a moment, and its log from then on. Times are whole seconds since the epoch, by its machine's clock. */
export interface Chain {
  id: string;
  shard: string;
  node: NodeId;
  /** The moment of the data that it begins with. */
  baseAt: number;
  /** When the node was first seen as its shard's primary with this chain. */
  ownedFrom: number;
  /** What was done up to then is in it; less than `baseAt`: it can restore nothing yet. */
  until: number;
}

/** Which shards had which slots from a moment on, until the next layout. */
export interface Layout {
  from: number;
  /** Up to then the layout before was known to hold; what lies between is restored by neither. */
  previousUntil: number;
  /** Slots were on their way: nothing of this time can be restored. */
  isMoving: boolean;
  shards: readonly { name: string; slots: readonly SlotRange[] }[];
}

/** A time in which a layout is known to have held; without an end where it still does. */
export interface Steady<L extends Layout> {
  layout: L;
  span: Span;
}

/** In order, each once; spans that touch are one. */
export function union(spans: readonly Span[]): Span[] {
  const all = spans.filter(({ from, to }) => from <= to).sort((a, b) => a.from - b.from);
  const found: Span[] = [];
  for (const { from, to } of all) {
    const last = found.at(-1);
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to);
    else found.push({ from, to });
  }
  return found;
}

/** What is in both, in order. */
export const intersection = (a: readonly Span[], b: readonly Span[]): Span[] =>
  union(
    a.flatMap((one) => b.map((other) => ({ from: Math.max(one.from, other.from), to: Math.min(one.to, other.to) }))),
  );

/** @param layouts in order of their beginning */
export const steadyTimes = <L extends Layout>(layouts: readonly L[]): Steady<L>[] =>
  layouts.flatMap((layout, index) => {
    const to = layouts[index + 1]?.previousUntil ?? Number.POSITIVE_INFINITY;
    return layout.isMoving || to < layout.from ? [] : [{ layout, span: { from: layout.from, to } }];
  });

const spanOf = ({ baseAt, until }: Chain): Span => ({ from: baseAt, to: until });

/** Every moment that can be restored: of each shard that had slots then, a chain reaches there. @param layouts in order */
export const windowOf = (layouts: readonly Layout[], chains: readonly Chain[]): Span[] =>
  union(
    steadyTimes(layouts).flatMap(({ layout, span }) =>
      layout.shards
        .filter(({ slots }) => slots.length > 0)
        .map(({ name }) => union(chains.filter(({ shard }) => shard === name).map(spanOf)))
        .reduce((found, reached) => intersection(found, reached), [span]),
    ),
  );

/** Whether the moment can be restored. */
export const isWithin = (window: readonly Span[], at: number): boolean =>
  window.some(({ from, to }) => from <= at && at <= to);

/**
 * The chain that tells best what the shard was at this moment: of those that reach there, of the node that had become its
 * primary last by then; what a replica has may be a moment behind. Null where none reaches there.
 */
export function chainAt<C extends Chain>(chains: readonly C[], shard: string, at: number): C | null {
  const able = chains.filter((one) => one.shard === shard && one.baseAt <= at && at <= one.until);
  const owners = able.filter(({ ownedFrom }) => ownedFrom <= at).sort((a, b) => b.ownedFrom - a.ownedFrom);
  return owners[0] ?? able.sort((a, b) => a.ownedFrom - b.ownedFrom)[0] ?? null;
}

/** What can go: chains that ended before, but those that still grow. @param growing their ids */
export const beyondDays = <C extends Chain>(chains: readonly C[], growing: ReadonlySet<string>, cutoff: number): C[] =>
  chains.filter(({ id, until, baseAt }) => !growing.has(id) && Math.max(until, baseAt) < cutoff);
