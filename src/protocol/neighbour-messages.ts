/**
 * What agents say to each other: one question, one answer, JSON texts over a connection that the asking one opens. Each
 * is told with the version of the asking one's list of voters; one with a newer list answers with that and nothing else,
 * and the question is put again by it. Plain types, no schema library.
 */
import type { NodeId } from '../domain/ids.ts';
import type { VoterList } from '../domain/roster.ts';

/** Raised with every change that an older peer would misread. */
export const NEIGHBOUR_PROTOCOL = 2;

/** Path of an agent's WebSocket for its neighbours. */
export const NEIGHBOUR_PATH = '/neighbour/v1';

/** Where an agent listens for its neighbours unless told otherwise, at the machine's address. */
export const NEIGHBOUR_PORT = 7450;

/** Longest message either side accepts, in bytes. */
export const MAX_NEIGHBOUR_BYTES = 256 * 1024;

/** Where a node listens. */
export interface NodeAddress {
  host: string;
  port: number;
}

export type Question =
  /** Its machine may go on: until the lease has run out, nobody takes over from it. */
  | { ask: 'lease'; machine: string }
  /**
   * The primaries of a database on a machine that nobody hears of are to be replaced by this one. `nodes`: where those
   * primaries listened. Agreed to only by one who has let the machine's lease run out and cannot reach it either.
   */
  | { ask: 'claim'; by: string; machine: string; database: string; nodes: readonly NodeAddress[] }
  /** The claim is over: done with, or given up. */
  | { ask: 'release'; by: string; machine: string; database: string }
  /** Primaries of this database (by uid) are, or are about to be, not where they were: endpoints are to look. */
  | { ask: 'moved'; database: string }
  /** How long its endpoint held back commands of late that this node took at last. */
  | { ask: 'waited'; database: string; node: NodeId };

export type Answer =
  | {
      kind: 'granted' /** Databases (by uid) that were claimed from this machine since it was last granted a lease. */;
      claimed: string[];
    }
  | { kind: 'agreed' }
  /** Not now, and why in words. */
  | { kind: 'denied'; reason: string }
  | { kind: 'noted' }
  | { kind: 'waited'; ms: number }
  | { kind: 'newer-voters'; voters: VoterList };

/** From the one that opened the connection. */
export interface NeighbourRequest {
  id: number;
  protocol: number;
  version: number;
  question: Question;
}

export interface NeighbourReply {
  id: number;
  answer: Answer;
}
