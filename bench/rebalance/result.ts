/** What is kept of each move, and of all moves of a system under one condition. Pure. */
import type { Kept } from '../faults/output.ts';
import type { ReadBack, Waits } from './history.ts';
import { SYSTEMS, type SystemId } from './system.ts';

/** What the load's clients noticed. */
export interface Clients {
  /** From the first slot that moves until a second after the last was placed. */
  moving: Waits;
  /** From the command until a second after its end, with the making of new nodes and the end of those without slots. */
  whole: Waits;
  /** Of all operations, by kind. */
  errors: Record<string, number>;
  sentAgain: number;
  readBack: ReadBack;
}

export interface Move {
  /** Of the repetition. */
  number: number;
  /** Shards. */
  from: number;
  to: number;
  /** How many slots have another owner. */
  slots: number;
  /** From the first job or slot that a bystander sees on its way, to the last owner that all staying primaries tell. */
  slotsMs: number;
  /** From the command to that first slot. */
  beforeMs: number;
  /** From the command to its end. */
  wholeMs: number;
  /** Of all primaries together, before: all that the processes use, and the data in it. */
  usedBytes: number;
  dataBytes: number;
  /** Keys that were there, that clients added for certain, that they may have added, and that are there. */
  keys: { before: number; added: number; unsure: number; after: number };
  /** Null when there were none. */
  clients: Clients | null;
}

/** A repetition that came to no end. */
export interface Failed {
  number: number;
  failure: string;
}

export interface Condition {
  id: string;
  from: number;
  to: number;
  isLoaded: boolean;
}

/** In the order of the table; of each load in the order in which they are measured. */
export const CONDITIONS: readonly Condition[] = [false, true].flatMap((isLoaded) =>
  (
    [
      [3, 4],
      [4, 3],
    ] as const
  ).map(([from, to]) => ({ id: `${isLoaded ? 'load' : 'idle'}-${from}-${to}`, from, to, isLoaded })),
);

export interface Result {
  condition: Condition;
  system: SystemId;
  moves: Move[];
  failures: string[];
}

/** What was kept, by condition and system in the order of the table. @throws Error when one is unknown here */
export function resultsOf(kept: readonly Kept<Move | Failed>[]): Result[] {
  const known = CONDITIONS.flatMap((condition) =>
    (Object.keys(SYSTEMS) as SystemId[]).map((system) => ({ condition, system })),
  );
  const stranger = kept.find((one) => !known.some(({ condition, system }) => isOf(one, condition, system)));
  if (stranger) throw new Error(`there is no ${stranger.row} of ${stranger.system} any more`);
  return known.flatMap(({ condition, system }) => {
    const own = kept.filter((one) => isOf(one, condition, system));
    if (own.length === 0) return [];
    const moves = own.filter((one) => !('failure' in one)) as Kept<Move>[];
    const failures = own.flatMap((one) => ('failure' in one ? [one.failure] : []));
    return [{ condition, system, moves, failures }];
  });
}

const isOf = ({ row, system }: Kept<object>, condition: Condition, id: SystemId): boolean =>
  row === condition.id && system === id;

/** How many keys are missing, or are there although nobody wrote them. */
export function strayKeys({ keys: { before, added, unsure, after } }: Move): number {
  const least = before + added;
  return after < least ? least - after : Math.max(0, after - least - unsure);
}
