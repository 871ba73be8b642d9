/** Which of two spreads of the same task is better. */
import { SLOT_COUNT } from '../../domain/slots.ts';
import type { Board } from './board.ts';

/** Loads that move count as the same up to such a part: fewer slots and ranges are worth more than that. */
const SAME = 0.01;

/** Whether all are nearer to the bounds, else less load moves, else fewer slots do, else there are fewer ranges. */
export function isBetter(one: Board, other: Board): boolean {
  const beyond = outsideOf(one) - outsideOf(other);
  if (Math.abs(beyond) > one.speck) return beyond < 0;
  const [a, b] = [movesOf(one), movesOf(other)];
  if (Math.abs(a.weight - b.weight) > SAME * Math.max(a.weight, b.weight)) return a.weight < b.weight;
  return a.slots === b.slots ? a.ranges < b.ranges : a.slots < b.slots;
}

const outsideOf = (board: Board): number =>
  board.frame.open.reduce((sum, shard) => sum + board.beyond(board.loads[shard]!), 0);

/** Weight and slots that move, and ranges of all shards in the end. */
function movesOf({ goal, task }: Board): { weight: number; slots: number; ranges: number } {
  const moves = { weight: 0, slots: 0, ranges: 0 };
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (goal[slot] !== goal[slot - 1]) moves.ranges += 1;
    if (goal[slot] === task.present[slot]) continue;
    moves.slots += 1;
    moves.weight += task.weights[slot]!;
  }
  return moves;
}
