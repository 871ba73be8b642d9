/**
 * The catalogue of problems: everything that can be wrong with a database. A problem that holds is published as a
 * condition, its coming and going are events, and a step names the problem it mends. The order is the order of urgency.
 */
import { byName, type NodeId } from '../domain/ids.ts';
import type { Severity } from '../domain/status.ts';
import { fillTemplate } from '../domain/template.ts';

interface ProblemEntry {
  severity: Severity;
  /** What is the case; `{name}` is filled from the problem's parameters. */
  message: string;
  /** What Valkeeper does, or what a person should do. */
  advice: string;
  /**
   * Not told before it has held this long: nodes are not seen at one and the same instant, and news needs a moment, so
   * some problems show for a look or two in the middle of every change.
   */
  patienceMs?: number;
  /** Nothing is done about it before it has held this long, look after look: what mends it must not meet a passing state. */
  waitMs?: number;
}

export const PROBLEMS = {
  database_unwanted: {
    severity: 'info',
    message: 'The database is being deleted.',
    advice: 'Its nodes are stopped and their directories removed; then its name is free again.',
  },
  identity_changed: {
    severity: 'error',
    message: '{node} on {machine} answers with another identity, {found}.',
    advice: 'It is left out. Something else listens on its port, or its nodes.conf was replaced: stop that process.',
  },
  slots_claimed_twice: {
    severity: 'error',
    message: '{node} and {other} both claim the slots {slots}.',
    advice: 'Nothing is done until one of them gives way; the engine lets the higher epoch win.',
    patienceMs: 1_000,
  },
  node_overridden: {
    severity: 'warning',
    message:
      '{node} on {machine} is shut out of {shard}: {machine} was said to be off, and {other} is the primary in its place.',
    advice:
      'The other nodes forget it. When its agent is heard of again, it is ended and started as a replica, and its data is replaced. If the machine is gone for good, take it out: `valkeeper machine remove {machine} --is-off`.',
  },
  foreign_slot_owner: {
    severity: 'error',
    message: 'A node that is not part of this database, {other}, owns the slots {slots}.',
    advice: 'Somebody joined it by hand. Move its slots back and take it out with CLUSTER FORGET.',
  },
  primary_dead: {
    severity: 'error',
    message: 'The primary of {shard}, {node} on {machine}, is dead.',
    advice:
      'The agent of {machine} promotes the replica that has most of its history and starts the dead process as its replica; if it does not, this is done from here.',
    // Two who send FORCE would restart each other's election.
    waitMs: 2_000,
  },
  shard_down: {
    severity: 'error',
    message: 'No process of {shard} runs.',
    advice: 'The copy with the newest claim is started from its disk, the others as its replicas.',
  },
  data_damaged: {
    severity: 'error',
    message: '{node} of {shard} on {machine} cannot be started from {file}: {problem}.',
    advice: '{remedy}',
  },
  primary_unresponsive: {
    severity: 'error',
    message: 'The primary of {shard}, {node} on {machine}, runs but does not answer ({reason}).',
    advice: 'It may be busy or hung: nothing is forced while it may still acknowledge writes. Look at its log.',
  },
  primary_unreachable: {
    severity: 'error',
    message: 'The primary of {shard}, {node} on {machine}, cannot be reached, and neither can its agent.',
    advice: 'Unreachable is not dead: nothing is forced. Bring the machine or its agent back.',
  },
  shard_unknown: {
    severity: 'warning',
    message: 'Nothing is known of {shard}: neither its nodes nor all of their agents answer.',
    advice: 'Nothing is done before they do. Bring the machines or their agents back.',
    patienceMs: 3_000,
  },
  primary_unborn: {
    severity: 'info',
    message: 'The primary of {shard}, {node}, has not taken its slots yet.',
    advice: 'It takes them now.',
  },
  head_missing: {
    severity: 'warning',
    message: '{shard}, which owns no slots, has no primary for them: {node} on {machine} is to be it.',
    advice: 'It becomes the primary; there is nothing that could be lost.',
    patienceMs: 1_000,
  },
  slots_unserved: {
    severity: 'error',
    message: 'Nobody owns the slots {slots} of {shard}.',
    advice: 'Look at the events to see who owned them last; keys in them cannot be read or written.',
  },
  node_missing: {
    severity: 'warning',
    message: '{node} of {shard} does not exist on {machine}.',
    advice: 'It is created there.',
    // Every new database begins so, for about 100 ms.
    patienceMs: 1_000,
  },
  replica_down: {
    severity: 'warning',
    message: '{node}, a copy of {shard} on {machine}, is not running.',
    advice: 'It is started again, fenced: as a replica that owns nothing.',
  },
  node_unresponsive: {
    severity: 'warning',
    message: '{node}, a copy of {shard} on {machine}, runs but does not answer ({reason}).',
    advice: 'If this lasts, look at its log with `valkeeper logs {node}`.',
  },
  node_stopped: {
    severity: 'error',
    message: 'The process of {node} of {shard} on {machine} is stopped: by a signal, or by a debugger.',
    advice:
      'A primary is ended after 2 s if a replica can take its place, a replica after 30 s; else it is left alone. To let it go on: `kill -CONT` its process id, as `valkeeper db show` tells it.',
  },
  node_hung: {
    severity: 'error',
    message: '{node} of {shard} on {machine} hangs: it does not answer, and does nothing at all.',
    advice:
      'A primary is ended after 3 s if a replica can take its place, a replica after 30 s; else it is left alone. Look at its log with `valkeeper logs {node}`; if you end it, it starts from its disk.',
  },
  node_disk_slow: {
    severity: 'warning',
    message: '{node} of {shard} on {machine} waits for its disk and does not answer.',
    advice:
      'A primary is ended after 15 s if a replica can take its place, a replica after 60 s; else it is left alone. See what the disk of {machine} is busy with, or whether it fails; `valkeeper doctor` measures it.',
  },
  node_busy: {
    severity: 'warning',
    message: '{node} of {shard} on {machine} is busy with one command and answers nothing else.',
    advice:
      'It is never ended for that. A script: `SCRIPT KILL` at the node ends one that has not written, a function `FUNCTION KILL`. Afterwards `COMMANDLOG GET 10 slow` tells which command it was. A replica that stays so may hang in the engine (docs/failover.md): end its process with `kill -9`, and its agent starts it again.',
  },
  node_silent: {
    severity: 'warning',
    message: '{node} of {shard} on {machine} runs, and yet does not answer.',
    advice:
      'It is never ended for that. Somebody may have paused all its clients (`CLIENT PAUSE`): that ends by itself. Else look at its log with `valkeeper logs {node}`.',
  },
  machine_lost: {
    severity: 'warning',
    message: 'The agent of {machine} does not answer.',
    advice: 'Its nodes are left as they are. On a fleet made by `valkeeper up` it is restarted by itself.',
  },
  fork_postponed: {
    severity: 'warning',
    message: '{node} of {shard} on {machine} is due {what}, and waits: {why}.',
    advice:
      'It is done as soon as it can be. Until then {effect}. See {look} on {machine}, or move nodes away: `valkeeper machine drain {machine}`.',
    patienceMs: 30_000,
  },
  disk_filling: {
    severity: 'warning',
    message: 'The disk of {machine} has {free} left of {total}.',
    advice:
      'It gets no further nodes. A node that cannot write there goes on in memory and refuses writes as its persistence says (`disk_failing`). Make room, or add a machine: `valkeeper machine drain {machine}` moves its nodes away.',
  },
  stranger_known: {
    severity: 'info',
    message: '{node} still knows nodes that are not part of this database: {others}.',
    advice: 'They own no slots and are forgotten.',
  },
  nodes_unacquainted: {
    severity: 'info',
    message: '{node} has not met {others} of this database.',
    advice: 'They are introduced to each other.',
  },
  primary_orphaned: {
    severity: 'warning',
    message: '{node} of {shard} on {machine} is a primary with {keys} and no slots, while {other} serves the shard.',
    advice:
      'The engine makes no replica of a node with keys: it is stopped and started fenced once {other} is seen to have at least as much history. If it stays: copy what you need from {node}, then end its process; it returns as a replica.',
    patienceMs: 1_000,
    waitMs: 3_000,
  },
  replica_unattached: {
    severity: 'warning',
    message: '{node} of {shard} does not follow the primary, {other}.',
    advice: 'It is made its replica.',
    patienceMs: 1_000,
  },
  replica_syncing: {
    severity: 'info',
    message: '{node}, a copy of {shard} on {machine}, is not in sync with its primary yet.',
    advice: 'It copies the data by itself; until then it cannot take over.',
  },
  news_spreading: {
    severity: 'info',
    message: 'Not every node sees all slots served and everyone in their present role yet (missing: {count}).',
    advice: 'The news is still spreading; this takes a second or two.',
  },
  disk_failing: {
    severity: 'error',
    message: '{node} of {shard} on {machine} cannot write {what} to its disk{effect}.',
    advice:
      'Make room on the disk of {machine}, or mend it: the node goes on by itself then. A primary that refuses writes changes places with a copy in sync on another machine whose disk is well, if there is one, at most once in ten minutes for a shard. What the engine could not do is in `valkeeper logs {node}`.',
  },
  memory_full: {
    severity: 'error',
    message:
      '{node}, the primary of {shard} on {machine}, uses {used} of {limit}: writes that need memory are refused (OOM).',
    advice:
      'Nothing is evicted. Delete keys, give it more with `valkeeper db update NAME --memory SIZE`, or let it evict with `--eviction`.',
  },
  disk_slow: {
    severity: 'warning',
    message: 'The append-only log of {node} ({shard}, {machine}) waited {delays} for the disk within the last minute.',
    advice:
      'Its clients wait meanwhile. Look at what else writes to the disk of {machine}; a faster one, or fewer nodes on it, helps.',
  },
  data_cut: {
    severity: 'warning',
    message:
      'The end of {file} of {node} ({shard}, {machine}) could not be read: {cut} of it were cut off, {kept} were kept.',
    advice:
      'Writes of the last moments before its process ended may be missing, at most those in what was cut off. That is kept in {aside} on {machine}. This is told for a day.',
  },
  settings_differ: {
    severity: 'info',
    message: '{node} of {shard} on {machine} does not have these settings as they are wanted: {settings}.',
    advice:
      'They are changed while it runs and in its valkey.conf, in the order in which a restart between the two loses nothing.',
  },
  users_differ: {
    severity: 'info',
    message: '{node} of {shard} on {machine} does not have the users and rules that are wanted.',
    advice: 'They are written into its ACL file, and it reads them while it runs.',
  },
  endpoint_closed: {
    severity: 'warning',
    message: 'The endpoint at {address}:{port} on {machine} does not serve: {problem}.',
    advice:
      'It is tried again and again. Where another process has the port, stop that one or choose another with `valkeeper db update NAME --port`.',
    // A process that starts or learns of a new database needs a moment.
    patienceMs: 3_000,
  },
  copy_lost: {
    severity: 'warning',
    message: '{machine} with {node}, a copy of {shard}, has not been heard of for {seconds} s.',
    advice: 'The copy is made anew on another machine; should this one come back, its old node is removed.',
  },
  copy_failed: {
    severity: 'warning',
    message: '{node}, a copy of {shard} on {machine}, has not run for {seconds} s.',
    advice: 'Another copy is made in its place; then it is removed with its data. Look at its log.',
  },
  copies_short: {
    severity: 'info',
    message: '{shard} has {count} of {wanted} copies that are to stay.',
    advice: 'One more is made, on the machine that suits best; `valkeeper db explain` says which.',
  },
  primary_leaving: {
    severity: 'info',
    message: 'The primary of {shard}, {node}, is to leave {machine}.',
    advice: 'As soon as all copies that stay are in sync, one of them takes its place, losing nothing.',
  },
  copy_surplus: {
    severity: 'info',
    message: '{shard} has more copies than it needs: {node} on {machine} is to go.',
    advice: 'It goes as soon as all copies that stay are in sync.',
  },
  node_left_behind: {
    severity: 'info',
    message: '{node} on {machine} was replaced, and something of it may be left there.',
    advice: 'It is removed with its data as soon as the agent of {machine} answers.',
  },
  primary_elsewhere: {
    severity: 'info',
    message: 'The primary of {shard} is {node} on {machine}; {other} on {otherMachine} is to take its place, as asked.',
    advice: 'They change places, losing nothing, as soon as {other} is in sync. It is tried for ten minutes.',
  },
  archive_behind: {
    severity: 'warning',
    message: 'The archive of {name} in {place} is behind: not all of the log was fetched for {lag} ({reason}).',
    advice: 'It is tried all the time. Mend it, or turn it off: `valkeeper backup archive {name} --off`.',
  },
  restoring: {
    severity: 'info',
    message: 'The data of {id} is on its way to {count} of {shards} shards; nobody is let in before all is there.',
    advice: 'It is used as soon as all of it has been loaded. `valkeeper db delete {name}` gives it up.',
  },
  reshard_stuck: {
    severity: 'error',
    message: 'The slots {slots} did not move from {shard} to {other}, {failures} times in a row: {message}.',
    advice:
      '{remedy} Then `valkeeper db reshard resume {name}` tries again, and `valkeeper db reshard cancel {name}` moves everything back.',
  },
  reshard_paused: {
    severity: 'info',
    message: '{count} slots are still to move, and the reshard is paused.',
    advice: '`valkeeper db reshard resume {name}` goes on, `valkeeper db reshard cancel {name}` moves everything back.',
  },
  slots_misplaced: {
    severity: 'info',
    message: '{count} slots are to move to other shards, {from} to {to} first.',
    advice: 'They move in jobs, one after the other; clients need do nothing. `valkeeper db reshard show {name}`.',
  },
  shard_leaving: {
    severity: 'info',
    message: '{shard} owns no slots any more and is to go.',
    advice: 'Its nodes are taken out of the database and removed.',
  },
  majority_on_machine: {
    severity: 'warning',
    message: '{machine} holds {count} of {shards} primaries: losing it would leave no majority to agree on a failover.',
    advice: '{remedy}',
  },
  copies_together: {
    severity: 'warning',
    message: 'Copies of {shard} share {machine}: losing it loses them together.',
    advice: '{remedy}',
  },
  zones_shared: {
    severity: 'warning',
    message: 'Copies of {shards} share a zone while another could take one: losing it loses them together.',
    advice: '{remedy}',
  },
  memory_overcommitted: {
    severity: 'warning',
    message:
      'Nodes on {machine} reserve {over} more than its memory: with all of it in use, the system ends some of them.',
    advice: '{remedy}',
  },
  no_takeover: {
    severity: 'warning',
    message: 'The fleet has {count} machines: after the loss of one of them nobody can take over by itself.',
    advice:
      'Add a machine; one that only votes will do: `valkeeper agent --join URL --token TOKEN --witness`, with what `valkeeper machine token create` prints.',
  },
  open_to_all: {
    severity: 'warning',
    message: 'The database has no password: whoever reaches a node can read and change everything.',
    advice: 'Accepted only on loopback addresses. For a password, create the database without --no-auth.',
  },
  plain_text: {
    severity: 'warning',
    message:
      'Nodes on {machine} speak without TLS at {address}: whoever is on the way reads and changes data and passwords.',
    advice:
      'Accepted because its agent was started with --plain-text. To end it, let the machine join with a token (`valkeeper agent --join URL --token TOKEN`); databases that are made from then on speak TLS.',
  },
} as const satisfies Record<string, ProblemEntry>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Problems that may stand while primaries are levelled: they are not about copies being there and in sync. */
export const HARMLESS: readonly ProblemCode[] = [
  'majority_on_machine',
  'copies_together',
  'zones_shared',
  'memory_overcommitted',
  'no_takeover',
  'open_to_all',
  'plain_text',
  'endpoint_closed',
  'data_cut',
  'disk_slow',
  'disk_filling',
  'fork_postponed',
  'memory_full',
];

export interface Problem {
  code: ProblemCode;
  shard?: string;
  node?: NodeId;
  machine?: string;
  /** Values of the message's placeholders; `node` ids are shown short. */
  params: Readonly<Record<string, string | number>>;
}

/** The problem in words. */
export const describeProblem = ({ code, params }: Problem): string => fillTemplate(PROBLEMS[code].message, params);

/** What is done about it, in words. */
export const adviceFor = ({ code, params }: Problem): string => fillTemplate(PROBLEMS[code].advice, params);

/** How long a problem must hold before it is told, in milliseconds. */
export const patienceMsOf = (code: ProblemCode): number => (PROBLEMS[code] as ProblemEntry).patienceMs ?? 0;

/** How long a problem must hold before anything is done about it, in milliseconds. */
export const waitMsOf = (code: ProblemCode): number => (PROBLEMS[code] as ProblemEntry).waitMs ?? 0;

const URGENCY = Object.keys(PROBLEMS) as ProblemCode[];

/** Most urgent first; the same problems always in the same order. */
export const byUrgency = (a: Problem, b: Problem): number =>
  URGENCY.indexOf(a.code) - URGENCY.indexOf(b.code) ||
  byName(a.shard ?? '', b.shard ?? '') ||
  (a.node ?? '').localeCompare(b.node ?? '');
