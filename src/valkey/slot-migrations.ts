/** Atomic slot migration, the engine's own way to move slots with all that is in them (Valkey 9: CLUSTER MIGRATESLOTS). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeId } from '../domain/ids.ts';
import { hasSnapshot, type SlotMigration } from '../domain/reshard.ts';
import type { SlotRange } from '../domain/slots.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';
import { clientCallsIn } from './client-calls.ts';
import { EngineReplyError, type NodeCommands } from './connection.ts';

/** Until the snapshot begins, which the engine looks after ten times a second. */
const BEGIN_MS = 1_000;
/** The same while writes are held: what else may fork then is not waited for. */
const HELD_BEGIN_MS = 250;
/** How long writes may be held for a job; then it is cancelled. */
const HOLD_MS = 1_000;
const POLL_MS = 2;
/** Longer than writes are ever held here; a pause for another reason is longer by far. */
const PAUSE_MS = 2 * HOLD_MS;

/** Slots that go to a target in one go. */
export interface MigrationJob {
  to: NodeId;
  slots: readonly SlotRange[];
}

/**
 * CLUSTER MIGRATESLOTS at the primary that gives them, in one job or several: resolves when the first snapshot has begun.
 * @throws Error when it did not begin in time, and they were cancelled
 */
export async function migrateSlots(node: NodeCommands, jobs: readonly MigrationJob[]): Promise<void> {
  await begin(node, jobs);
  await until(node, BEGIN_MS, (latest) => latest.slice(0, jobs.length).some(hasSnapshot));
  // Somebody may have written to another database for the first time meanwhile: see `migrateHeldSlots`.
  if ((await readiness(node)).hasNumberedDatabases) await giveUp(node, 'a database with a number has come into use');
}

/**
 * The same while the source's writes wait, from before the job until its end; so the job has to be small.
 *
 * Valkey 9.1.2 loses writes where databases with numbers are in use: a job's snapshot ends in the highest database that
 * has keys in its slots, and what is written to database 0 from then on is sent without a SELECT before it, so that the
 * target carries it out in that other one. (Plain `CLUSTER MIGRATESLOTS` of 2,000 slots under writes to database 0, with
 * 3,000 keys in database 5: 36 of 282 acknowledged writes were gone, and were in database 5.)
 * @throws Error when it did not end in time and was cancelled, or somebody else has stopped the source's writes
 */
export async function migrateHeldSlots(node: NodeCommands, job: MigrationJob): Promise<void> {
  await node.command('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
  try {
    await begin(node, [job]);
    await until(node, HELD_BEGIN_MS, ([latest]) => hasSnapshot(latest!));
    await until(node, HOLD_MS, ([latest]) => latest!.state !== 'active');
  } finally {
    const left = /^paused_timeout_milliseconds:(\d+)/m.exec(String(await node.command('INFO', 'clients')))?.[1];
    // An agent without a lease has stopped them for longer, and they stay stopped.
    if (Number(left ?? 0) <= PAUSE_MS) await node.command('CLIENT', 'UNPAUSE');
  }
}

const begin = (node: NodeCommands, jobs: readonly MigrationJob[]) =>
  node.command(
    'CLUSTER',
    'MIGRATESLOTS',
    ...jobs.flatMap(({ to, slots }) => ['SLOTSRANGE', ...slots.flat(), 'NODE', to]),
  );

/** What matters of a source before a job. */
export interface Readiness {
  forks: 'snapshot' | 'new log' | null;
  hasNumberedDatabases: boolean;
  /** Commands that it has carried out for clients. */
  clientCalls: number;
}

/** By INFO persistence, keyspace and commandstats. @throws EngineReplyError, EngineUnreachable */
export async function readiness(node: NodeCommands): Promise<Readiness> {
  const info = String(await node.command('INFO', 'persistence', 'keyspace', 'commandstats'));
  const isOn = (name: string): boolean => new RegExp(`^${name}:1`, 'm').test(info);
  const forks = isOn('rdb_bgsave_in_progress') ? 'snapshot' : isOn('aof_rewrite_in_progress') ? 'new log' : null;
  return { forks, hasNumberedDatabases: /^db[1-9]/m.test(info), clientCalls: clientCallsIn(info) };
}

/** @param isSo asked with the node's jobs, the latest first */
async function until(
  node: NodeCommands,
  timeoutMs: number,
  isSo: (jobs: readonly SlotMigration[]) => boolean,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const jobs = await slotMigrations(node);
    if (jobs.length === 0 || isSo(jobs)) return;
    if (performance.now() > deadline) return giveUp(node, `it was still ${jobs[0]!.phase} after ${timeoutMs} ms`);
    await sleep(POLL_MS);
  }
}

/** Before its slots are granted a job can be cancelled, and they stay with the source. */
async function giveUp(node: NodeCommands, reason: string): Promise<never> {
  await node.command('CLUSTER', 'CANCELSLOTMIGRATIONS');
  throw new Error(`the job was cancelled: ${reason}`);
}

/** What clients send it, of late, in bytes a second (INFO stats). */
export async function receivedBytesPerSecond(node: NodeCommands): Promise<number> {
  const stats = String(await node.command('INFO', 'stats'));
  return Math.round(Number(/^instantaneous_input_kbps:([\d.]+)/m.exec(stats)?.[1] ?? 0) * 1024);
}

/** What is asked of a node to learn of its jobs. */
export const MIGRATIONS_QUESTION = ['CLUSTER', 'GETSLOTMIGRATIONS'] as const;

/**
 * A node's jobs, the latest first; those of before its start are forgotten. One that loads its data is in none, and does
 * not tell.
 * @throws EngineReplyError, EngineUnreachable, SyntaxError when the answer has not the form it should have
 */
export async function slotMigrations(node: NodeCommands): Promise<SlotMigration[]> {
  const [answer] = await node.pipeline([MIGRATIONS_QUESTION]);
  if (answer instanceof ReplyError && answer.code === 'LOADING') return [];
  return parseSlotMigrations(answer!);
}

/** @throws SyntaxError when the answer has not the form it should have */
export function parseSlotMigrations(answer: Reply): SlotMigration[] {
  if (answer instanceof ReplyError) throw new EngineReplyError(MIGRATIONS_QUESTION.join(' '), answer);
  if (!Array.isArray(answer)) throw new SyntaxError('CLUSTER GETSLOTMIGRATIONS did not answer with a list');
  return answer.map((job) => migrationOf(fieldsOf(job)));
}

function fieldsOf(job: Reply): Map<string, string> {
  const flat = job instanceof Map ? [...job].flat() : job;
  if (!Array.isArray(flat)) throw new SyntaxError('a job of CLUSTER GETSLOTMIGRATIONS is not a list of fields');
  const words = flat.map(String);
  return new Map(Array.from({ length: words.length / 2 }, (_, index) => [words[2 * index]!, words[2 * index + 1]!]));
}

const ENDED = new Set(['success', 'failed', 'cancelled']);

function migrationOf(fields: ReadonlyMap<string, string>): SlotMigration {
  const text = (name: string): string => fields.get(name) ?? '';
  const phase = text('state');
  return {
    name: text('name'),
    side: text('operation') === 'EXPORT' ? 'export' : 'import',
    slots: parseRanges(text('slot_ranges')),
    source: text('source_node'),
    target: text('target_node'),
    state: ENDED.has(phase) ? (phase as SlotMigration['state']) : 'active',
    phase,
    message: text('message'),
    createdAt: Number(text('create_time')) * 1_000,
    updatedAt: Number(text('last_update_time')) * 1_000,
    remainingBytes: Number(fields.get('remaining_repl_size') ?? 0),
  };
}

/** `0-100 200-250`, or a single slot. */
const parseRanges = (text: string): SlotRange[] =>
  text.split(' ').flatMap((word) => {
    const [from, to = from] = word.split('-').map(Number);
    return word === '' ? [] : [[from!, to!] as const];
  });

/** FUNCTION DUMP and RESTORE: libraries do not move with slots, and one that the target has otherwise is replaced. */
export async function copyFunctions(source: NodeCommands, target: NodeCommands): Promise<void> {
  const [wanted, present] = await Promise.all([source.command('FUNCTION', 'DUMP'), target.command('FUNCTION', 'DUMP')]);
  if (!Buffer.isBuffer(wanted) || (Buffer.isBuffer(present) && wanted.equals(present))) return;
  await target.command('FUNCTION', 'RESTORE', wanted, 'REPLACE');
}
