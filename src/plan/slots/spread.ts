/**
 * Which shard is to own which slots, so that each carries its share: the least load is moved that brings every shard
 * within a tolerance of the mean. Slots that go are taken in runs, so that a shard's slots stay a few ranges.
 *
 *     slots too heavy for a share set apart ─> how much each shard gives or takes ─> which slots go ─> to whom ─> repairs
 *
 * The result depends on nothing but the arguments.
 */
import { SLOT_COUNT, type SlotRange } from '../../domain/slots.ts';
import { Board, type Frame, NOBODY, type Task } from './board.ts';
import { chooseSlots } from './choose.ts';
import { isBetter } from './compare.ts';
import { deal } from './deal.ts';
import { frameOf } from './hot.ts';
import { surpluses } from './level.ts';
import { repair, takeBack } from './repair.ts';
import { search } from './search.ts';

/** A shard may carry so much more or less than the mean, as a part of it. */
export const TOLERANCE = 0.05;

/** Up to so many slots with load, the best spread is searched for. */
const FEW_SLOTS = 24;

/** Slots lighter than this part of the tolerance are grains: with them a shard can be filled up exactly enough. */
const GRAIN_PART = 0.5;

export interface Wish {
  /** Who owns which slots now. A slot may have no owner: it gets none. Ranges must not overlap. */
  owners: ReadonlyMap<string, readonly SlotRange[]>;
  /** By slot, 16,384 of them: its load, in any unit, finite and not below 0. When no slot has any, all count the same. */
  weights: Float64Array;
  /** Those that are to own slots: owners of today or new ones, one at least. Other owners give all away. */
  shards: readonly string[];
  /** A part of the mean; `TOLERANCE` if not given. */
  tolerance?: number;
}

/**
 * @returns the slots of each of `shards`, in its order: ranges in order, none next to another; together they are the slots
 * that have an owner now
 */
export function spread({ owners, weights, shards, tolerance = TOLERANCE }: Wish): ReadonlyMap<string, SlotRange[]> {
  const staying = [...new Set(shards)];
  if (staying.length === 0) throw new Error('no shard is to own slots');
  const names = [...new Set([...staying, ...owners.keys()])];
  const present = ownersBySlot(names.map((name) => owners.get(name) ?? []));
  const counted = countedWeights(weights, present);
  const task = {
    ...{ present, weights: counted, byWeight: sortedByWeight(counted), tolerance },
    ...{ shards: names.length, staying: staying.length },
  };
  const goal = rangesByOwner(bestSpread(task), names.length);
  return new Map(staying.map((name, at) => [name, goal[at]!]));
}

function bestSpread(task: Task): Int16Array {
  const board = draft(task, frameOf(task));
  const few = board.levelledSlots();
  if (few.length > FEW_SLOTS) return board.goal;
  // Slots without load were moved along in runs; where so few have any, only these go.
  const best = new Board(task, board.frame);
  for (const [slot, owner] of search(board, few)) best.give(slot, owner);
  giveEmptySlots(best);
  return best.goal;
}

/**
 * Where lumps leave somebody outside the bounds, grains are moved first, or single slots: which moves less depends on the
 * weights, so both are tried.
 */
function draft(task: Task, frame: Frame): Board {
  const first = new Board(task, frame);
  share(first, Number.POSITIVE_INFINITY);
  const second = new Board(task, frame, { goal: first.goal });
  if (!first.isLevel()) {
    shareGrains(first);
    repair(first);
    repair(second);
    for (const board of [first, second]) if (!board.isLevel()) finish(board);
  }
  for (const board of [first, second]) takeBack(board);
  return isBetter(second, first) ? second : first;
}

function finish(board: Board): void {
  settleLumps(board);
  shareGrains(board);
  repair(board);
}

/** Twice, since what is dealt differs a little from what was meant. */
function shareGrains(board: Board): void {
  share(board, grainOf(board));
  share(board, grainOf(board));
}

const grainOf = ({ high, frame }: Board): number => (high - frame.mean) * GRAIN_PART;

/** Who has too much gives to those with too little. @param heaviest slots of more stay, if their shard may own any */
function share(board: Board, heaviest: number): void {
  const surplus = surpluses(board);
  deal(board, goingSlots(board, surplus, heaviest), surplus);
}

/** Lumps that are too much for their shards even without anything else go elsewhere, where grains will make room for them. */
function settleLumps(board: Board): void {
  const { task, frame } = board;
  const grain = grainOf(board);
  const weights = task.weights.map((weight) => (weight > grain ? weight : 0));
  const lumps = new Board({ ...task, weights }, frame, { goal: board.goal, low: Number.NEGATIVE_INFINITY });
  repair(lumps);
  for (const slot of lumps.levelledSlots()) board.give(slot, lumps.goal[slot]!);
}

/** Slots without load of shards that are to own none go to whoever has the fewest slots: load may come. */
function giveEmptySlots(board: Board): void {
  const { task, frame } = board;
  const isLeft = (owner: number): boolean => owner >= task.staying;
  const present = board.goal.map((owner) => (isLeft(owner) || board.isOpen(owner) ? owner : NOBODY));
  const weights = new Float64Array(SLOT_COUNT).fill(1);
  const counts = new Board(
    { ...task, present, weights, tolerance: 1 },
    { hot: new Map(), open: frame.open, mean: SLOT_COUNT },
  );
  const going = Array.from(present.keys()).filter((slot) => isLeft(present[slot]!));
  deal(counts, going, surpluses(counts));
  for (const slot of going) board.give(slot, counts.goal[slot]!);
}

/** In order. A shard that is not levelled keeps nothing but a slot that was set apart. */
function goingSlots(board: Board, surplus: Float64Array, heaviest: number): number[] {
  const going = new Uint8Array(SLOT_COUNT);
  const room = Math.max(...board.frame.open.map((shard) => Math.max(0, -surplus[shard]!))) + board.high - board.low;
  const most = Math.min(heaviest, room);
  for (const [shard, own] of board.slotsByShard().entries()) {
    const chosen = board.isOpen(shard)
      ? chooseSlots(board, own, { need: surplus[shard]!, most }, (slot) => going[slot] === 1)
      : own.filter((slot) => !board.frame.hot.has(slot));
    for (const slot of chosen) going[slot] = 1;
  }
  return Array.from(going.keys()).filter((slot) => going[slot] === 1);
}

/** The place of each slot's owner in the list; NOBODY where there is none. */
function ownersBySlot(owners: readonly (readonly SlotRange[])[]): Int16Array {
  const bySlot = new Int16Array(SLOT_COUNT).fill(NOBODY);
  for (const [at, ranges] of owners.entries()) for (const [from, to] of ranges) bySlot.fill(at, from, to + 1);
  return bySlot;
}

function rangesByOwner(goal: Int16Array, owners: number): SlotRange[][] {
  const ranges = Array.from({ length: owners }, (): SlotRange[] => []);
  let from = 0;
  for (let slot = 1; slot <= SLOT_COUNT; slot += 1) {
    if (goal[slot] === goal[from]) continue;
    if (goal[from] !== NOBODY) ranges[goal[from]!]!.push([from, slot - 1]);
    from = slot;
  }
  return ranges;
}

/** Of the slots that have an owner; all the same when none of them has any load. */
function countedWeights(weights: Float64Array, present: Int16Array): Float64Array {
  const counted = weights.map((weight, slot) => (present[slot] === NOBODY || !(weight > 0) ? 0 : weight));
  return counted.some((weight) => weight > 0) ? counted : counted.map((_, slot) => (present[slot] === NOBODY ? 0 : 1));
}

const sortedByWeight = (weights: Float64Array): number[] =>
  Array.from(weights.keys())
    .filter((slot) => weights[slot]! > 0)
    .sort((a, b) => weights[a]! - weights[b]! || a - b);
