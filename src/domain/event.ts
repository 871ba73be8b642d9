/** The history of a fleet, for people: one line for everything that happened and every decision that was made. */

import type { NodeId } from './ids.ts';
import type { JsonValue } from './json.ts';
import type { Severity } from './status.ts';

/** Everything that can happen, with what it means. Stable: scripts may match on the kinds. */
export const EVENT_KINDS = {
  database_created: 'A database was asked for; it comes into being next.',
  database_changed: 'The spec of a database was changed; its nodes take the change next.',
  reshard_pause: 'Slots on their way to other shards were paused by a person.',
  reshard_resume: 'Slots go on their way again, as a person asked.',
  reshard_cancel: 'A change of the number of shards was given up by a person; the slots go back.',
  rebalance_asked: 'The shards of a database are to share its load or its memory evenly: slots move next.',
  writers_paced:
    'Clients that write to slots on their way through the endpoints are slowed down, because the job would not end.',
  reshard_done: 'All slots are where they are to be; the event tells the plan beside the fact.',
  backup_done: 'A backup of a database was made.',
  backup_failed: 'A backup of a database was not made, for the reason given; nothing of it is kept.',
  backup_removed: 'A backup was removed, by a person or because its schedule keeps no more.',
  archive_begun: 'The append-only log of a database is kept from now on, so that any moment can be restored.',
  archive_ended:
    'The append-only log of a database is not archived any more, for the reason given; what is there stays.',
  archive_removed: 'The archive of a database was removed, by a person.',
  restore_begun: 'A database comes into being with the data of a backup.',
  restore_loaded: 'A database has all the data of its backup, and is served.',
  restore_not_spread: 'A restored database keeps the number of shards of its backup, for the reason given.',
  database_state: 'A database is in another state than before.',
  database_unwanted: 'A database is to be deleted.',
  database_deleted: 'A database and all its nodes are gone.',
  problem_opened: 'A problem has come up, or has lasted long enough to be told; it is a condition until it is closed.',
  problem_closed: 'A problem holds no longer.',
  step_done: 'A step of a plan was carried out, for the reason given.',
  step_not_done: 'A step was not carried out, or did not work; the next look decides anew.',
  failover:
    'A replica took the place of a primary that was lost, by its agent or as somebody asked, or could not; the details tell how it went.',
  switchover_asked: 'A copy of a shard is to become its primary; it does next.',
  switchover_given_up: 'A switchover that was asked for did not come about in time; it is not tried any more.',
  takeover_asked: 'Somebody said that a machine is off: a copy is to take the place of a primary there; it does next.',
  takeover_given_up: 'A takeover that was asked for did not come about; it is not tried any more.',
  pass_failed: 'A look at a database failed by a defect of Valkeeper; it looks again.',
  machine_connected: 'The agent of a machine has connected.',
  machine_lost: 'The agent of a machine is gone; its nodes are left as they are.',
  machine_draining: 'A machine is being emptied: its nodes move to other machines.',
  machine_drained: 'A machine that was being emptied has no nodes any more.',
  machine_resumed: 'A machine that was being emptied takes nodes again.',
  machine_removed: 'A machine was taken out of the fleet; its agent is not let in any more.',
  machine_zone: 'A machine is in another zone than before.',
  agent_turned_away: 'An agent was not let in, for the reason given; nothing else was changed.',
  machine_joined: 'A machine has joined the fleet with a token.',
  join_refused: 'A machine that wanted to join, or to renew its certificate, was refused for the reason given.',
  join_token_created: 'A token was made, with which one machine can join.',
  join_token_revoked: 'A token was taken back; nobody joins with it any more.',
  certificate_renewed: 'A machine uses a new certificate.',
  certificate_not_renewed: 'The certificate of a machine could not be renewed; its agent tries again.',
  leader_elected: 'Of several servers another leads now, or the same one anew.',
  primary_changed_meanwhile:
    'The primary of a shard is not the one that was known last: the engine chose another while no control plane looked.',
  fleet_stopping: 'All nodes and agents are being stopped, as asked.',
} as const;

export type EventKind = keyof typeof EVENT_KINDS;

export interface Event {
  /** Its number: grows by one from event to event and is never used again. */
  seq: number;
  /** ISO time. */
  at: string;
  kind: EventKind;
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
