/** What explaining a placement needs to know of the database and its fleet, counted once. */
import type { Layout, Survey } from './layout.ts';
import type { Fleet } from './rooms.ts';

/** By machine. */
export interface Spread {
  nodes: ReadonlyMap<string, number>;
  primaries: ReadonlyMap<string, number>;
}

export interface Context {
  database: string;
  layout: Layout;
  survey: Survey;
  primariesOn: ReadonlyMap<string, number>;
  /** How the database would lie if it were placed anew; null when it could not be. */
  anew: Spread | null;
  /** The fleet without the database. */
  emptied: Fleet;
}

/** How much of a machine's memory is reserved, in percent. */
export function percentReserved({ roomOf }: Survey, machine: string): number {
  const room = roomOf.get(machine);
  return room ? percentOf(room.reservedBytes, room.memoryBytes) : 0;
}

/** So much of so much, in whole percent. */
export const percentOf = (bytes: number, allBytes: number): number => Math.round((bytes / Math.max(1, allBytes)) * 100);

/** The least and the most of some numbers; 0 of none. */
export const range = (numbers: readonly number[]): { least: number; most: number } => ({
  least: numbers.length === 0 ? 0 : Math.min(...numbers),
  most: Math.max(0, ...numbers),
});
