/** The history of a fleet, for people: one line for everything that happened and every decision that was made. */

import type { NodeId } from './ids.ts';
import type { JsonValue } from './json.ts';
import type { Severity } from './status.ts';

export interface Event {
  /** Its number: grows by one from event to event and is never used again. */
  seq: number;
  /** ISO time. */
  at: string;
  /** What happened, as a stable code in snake_case, such as `node_started`. */
  kind: string;
  severity: Severity;
  /** Name of the database it concerns; absent when it concerns the fleet. */
  database?: string;
  shard?: string;
  node?: NodeId;
  machine?: string;
  /** One sentence that is understood without the other fields. */
  message: string;
  details?: { [key: string]: JsonValue };
}

/** An event as it is reported: its number and time are given when it is recorded. */
export type NewEvent = Omit<Event, 'seq' | 'at'>;
