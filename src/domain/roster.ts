/** What every agent keeps on its disk, so that it can act while no control plane is there: who votes, and what it guards. */
import type { Database } from './database.ts';

/** A machine whose agent takes part in the majority, and where its neighbours reach it. */
export interface Voter {
  machine: string;
  address: string;
  port: number;
}

/**
 * Who votes. Versions follow one another, and two that do differ in one voter at most, so that any majority of one has a
 * member in common with any majority of the next; the next is told only when a majority has this one.
 */
export interface VoterList {
  version: number;
  voters: readonly Voter[];
}

/** Before any was told. */
export const NO_VOTERS: VoterList = { version: 0, voters: [] };

/** How many are a majority. */
export const majorityOf = (count: number): number => Math.floor(count / 2) + 1;

/** A database as an agent guards it: the record without what clients enter with. */
export type GuardedDatabase = Omit<Database, 'secrets'> & Pick<Database['secrets'], 'adminPassword'>;

/** As the planner wants it. */
export const asDatabase = ({ adminPassword, ...record }: GuardedDatabase): Database => ({
  ...record,
  secrets: { password: null, adminPassword, users: {} },
});
