/** Atomic slot migration, the engine's own way to move slots with all that is in them (Valkey 9: CLUSTER MIGRATESLOTS). */
import type { NodeId } from '../domain/ids.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import type { SlotRange } from '../domain/slots.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';
import { EngineReplyError, type NodeCommands } from './connection.ts';

/** CLUSTER MIGRATESLOTS at the primary that gives them: accepted or refused at once, carried out afterwards. */
export async function migrateSlots(node: NodeCommands, slots: readonly SlotRange[], target: NodeId): Promise<void> {
  await node.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', ...slots.flat(), 'NODE', target);
}

/** What is asked of a node to learn of its jobs, the latest first; those of before its start are forgotten. */
export const MIGRATIONS_QUESTION = ['CLUSTER', 'GETSLOTMIGRATIONS'] as const;

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

/** How many keys each of its slots has, all databases counted; slots of others are missing. */
export async function keysBySlot(node: NodeCommands, ranges: readonly SlotRange[]): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  const questions = ranges.map(([from, to]) => ['CLUSTER', 'SLOT-STATS', 'SLOTSRANGE', from, to] as const);
  for (const answer of await node.pipeline(questions)) {
    if (answer instanceof ReplyError) throw new EngineReplyError('CLUSTER SLOT-STATS', answer);
    for (const [slot, stats] of answer as [number, Reply][]) found.set(Number(slot), keyCountIn(stats));
  }
  return found;
}

function keyCountIn(stats: Reply): number {
  const words = (stats instanceof Map ? [...stats].flat() : (stats as Reply[])).map(String);
  return Number(words[words.indexOf('key-count') + 1]);
}
