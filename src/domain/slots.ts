/** Hash slots: a cluster has 16384 of them (Valkey cluster specification), and a range names both ends. */

export const SLOT_COUNT = 16_384;

/** From the first to the last slot, both included. */
export type SlotRange = readonly [from: number, to: number];

/** How many slots the ranges hold; the ranges must not overlap. */
export const countSlots = (ranges: readonly SlotRange[]): number =>
  ranges.reduce((sum, [from, to]) => sum + (to - from + 1), 0);

/** The slots 0 to 16383 in `parts` runs whose sizes differ by one at most, in order. */
export function splitEvenly(parts: number): SlotRange[] {
  const bound = (index: number): number => Math.round((index * SLOT_COUNT) / parts);
  return Array.from({ length: parts }, (_, index) => [bound(index), bound(index + 1) - 1] as const);
}

/** Slots in ascending order as ranges. */
export function rangesOf(slots: Iterable<number>): SlotRange[] {
  const ranges: [from: number, to: number][] = [];
  for (const slot of slots) {
    const last = ranges.at(-1);
    if (last && last[1] === slot - 1) last[1] = slot;
    else ranges.push([slot, slot]);
  }
  return ranges;
}

/** The same slots in ranges of at most `most`. */
export const splitRanges = (ranges: readonly SlotRange[], most: number): SlotRange[] =>
  ranges.flatMap(([from, to]) =>
    Array.from({ length: Math.ceil((to - from + 1) / most) }, (_, part): SlotRange => {
      const first = from + part * most;
      return [first, Math.min(to, first + most - 1)];
    }),
  );

/** Every slot of the ranges, one by one. */
export function* slotsIn(ranges: readonly SlotRange[]): Generator<number> {
  for (const [from, to] of ranges) for (let slot = from; slot <= to; slot += 1) yield slot;
}

/** What these slots have together. @param values by slot */
export function sumOf(values: Float64Array, ranges: readonly SlotRange[]): number {
  let sum = 0;
  for (const slot of slotsIn(ranges)) sum += values[slot]!;
  return sum;
}

/** The slots that two sets of ranges share. */
export function sharedSlots(a: readonly SlotRange[], b: readonly SlotRange[]): SlotRange[] {
  const shared: SlotRange[] = [];
  for (const [aFrom, aTo] of a) {
    for (const [bFrom, bTo] of b) {
      const from = Math.max(aFrom, bFrom);
      const to = Math.min(aTo, bTo);
      if (from <= to) shared.push([from, to]);
    }
  }
  return shared;
}

/** The slots of `ranges` that are not in `others`, which may overlap. */
export function withoutSlots(ranges: readonly SlotRange[], others: readonly SlotRange[]): SlotRange[] {
  if (others.length === 0) return [...ranges];
  const taken = new Set(slotsIn(others));
  return rangesOf([...slotsIn(ranges)].filter((slot) => !taken.has(slot)));
}

/** `0-5460, 5462`, for people. */
export const formatSlots = (ranges: readonly SlotRange[]): string =>
  ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ') || 'none';

/** For a column of a table: of many ranges the largest, in order, and how many more there are. */
export function formatSlotsBriefly(ranges: readonly SlotRange[], most = 2): string {
  if (ranges.length <= most + 1) return formatSlots(ranges);
  const size = ([from, to]: SlotRange): number => to - from;
  const largest = new Set(ranges.toSorted((a, b) => size(b) - size(a)).slice(0, most));
  return `${formatSlots(ranges.filter((range) => largest.has(range)))} and ${ranges.length - most} more`;
}
