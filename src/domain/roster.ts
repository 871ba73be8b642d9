/** What every agent keeps on its disk, so that it can act while no control plane is there: who votes, and what it guards. */
import type { Database } from './database.ts';

/** A machine whose agent takes part in the majority, and where its neighbours reach it. */
export interface Voter {
  machine: string;
  address: string;
  port: number;
  /**
   * It has a list by which it needs a lease, and stops without one. Only then may others take over from it: a machine
   * that was told of no such list goes on, whatever the others think.
   */
  leased: boolean;
}

/**
 * Who votes. Versions follow one another, and two that do differ in one voter at most, so that any majority of one has a
 * member in common with any majority of the next; the next is told only when a majority has this one.
 */
export interface VoterList {
  version: number;
  voters: readonly Voter[];
}

/** With fewer voters there is no majority without all of them: nobody takes over by itself, and nobody stops. */
export const FEWEST_VOTERS = 3;

/** Before any was told. */
export const NO_VOTERS: VoterList = { version: 0, voters: [] };

/** How many are a majority. */
export const majorityOf = (count: number): number => Math.floor(count / 2) + 1;

/** Whether others may take over from the machine: it stops when it has no lease. */
export const mayBeReplaced = ({ voters }: VoterList, machine: string): boolean =>
  voters.length >= FEWEST_VOTERS && voters.some((voter) => voter.machine === machine && voter.leased);

/** A database as an agent guards it: the record without what clients enter with. */
export type GuardedDatabase = Omit<Database, 'secrets'> & Pick<Database['secrets'], 'adminPassword'>;

/** As the planner wants it. */
export const asDatabase = ({ adminPassword, ...record }: GuardedDatabase): Database => ({
  ...record,
  overridden: record.overridden ?? {}, // a record that was kept by an earlier version has none
  restore: record.restore ?? null,
  secrets: { password: null, adminPassword, users: {} },
});
