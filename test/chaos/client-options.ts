/** What a client process is told, and the keys it uses. */

export interface Address {
  host: string;
  port: number;
}

export interface ClientOptions {
  /** Unique among all client processes of a run; part of every value. */
  client: string;
  /** Its history. */
  file: string;
  round: number;
  seed: number;
  databases: readonly { name: string; endpoints: readonly Address[]; password: string | null }[];
  /** For each database. */
  workers: number;
  /** Between two operations of one worker. */
  pauseMs: number;
  /** After so long without an answer a client gives up, and connects elsewhere. */
  timeoutMs: number;
}

/** Keys that all clients share. */
export const SHARED = { registers: 8, counters: 4, lists: 4 } as const;
