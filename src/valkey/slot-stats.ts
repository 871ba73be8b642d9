/** What each slot of a node holds and costs: CLUSTER SLOT-STATS of Valkey 8, and what a few of its keys take. */
import { type SlotRange, splitRanges } from '../domain/slots.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';
import { EngineReplyError, type NodeCommands } from './connection.ts';

/** Of one slot. All but the keys are counted since the node owns it, with `cluster-slot-stats-enabled yes`; 0 without. */
export interface SlotStats {
  /** Of all databases. */
  keys: number;
  /** Microseconds that its commands took. */
  cpuUsec: number;
  /** Bytes of its commands. */
  bytesIn: number;
  /** Bytes of their answers. */
  bytesOut: number;
}

const FIELDS = {
  'key-count': 'keys',
  'cpu-usec': 'cpuUsec',
  'network-bytes-in': 'bytesIn',
  'network-bytes-out': 'bytesOut',
} as const;

/** Slots of one question: its answer holds up the node's other clients for well below a millisecond. */
const SLOTS_ASKED = 512;

/**
 * By slot; slots that are not the node's are missing. Takes the node some microsecond a slot, in parts, each with the
 * connection's time for an answer.
 * @throws EngineReplyError, EngineUnreachable
 */
export async function slotStats(node: NodeCommands, ranges: readonly SlotRange[]): Promise<Map<number, SlotStats>> {
  const found = new Map<number, SlotStats>();
  const questions = splitRanges(ranges, SLOTS_ASKED).map((part) => ['CLUSTER', 'SLOT-STATS', 'SLOTSRANGE', ...part]);
  for (const answer of await inBatches(node, questions, 1)) {
    if (answer instanceof ReplyError) throw new EngineReplyError('CLUSTER SLOT-STATS', answer);
    for (const [slot, stats] of answer as [number, Reply][]) found.set(Number(slot), statsIn(stats));
  }
  return found;
}

function statsIn(stats: Reply): SlotStats {
  const words = (stats instanceof Map ? [...stats].flat() : (stats as Reply[])).map(String);
  const found = { keys: 0, cpuUsec: 0, bytesIn: 0, bytesOut: 0 };
  for (let at = 0; at + 1 < words.length; at += 2) {
    const field = FIELDS[words[at] as keyof typeof FIELDS];
    if (field) found[field] = Number(words[at + 1]);
  }
  return found;
}

/** Keys of a slot that are looked at; the others are taken to be like them. */
const SAMPLE = 3;
/** Fewer than a connection may have waiting, so that its other users find room. */
const BATCH = 100;

/**
 * About how many bytes the keys of each slot take: those of a few of them (MEMORY USAGE), times their number. Asked in
 * database 0 only; a slot whose keys are all in others is missing.
 */
export async function sampledBytes(
  node: NodeCommands,
  keys: ReadonlyMap<number, number>,
): Promise<Map<number, number>> {
  const slots = [...keys].filter(([, count]) => count > 0).map(([slot]) => slot);
  const names = await inBatches(
    node,
    slots.map((slot) => ['CLUSTER', 'GETKEYSINSLOT', slot, SAMPLE] as const),
  );
  const samples = slots.flatMap((slot, at) => keysIn(names[at]).map((key) => ({ slot, key })));
  const sizes = await inBatches(
    node,
    samples.map(({ key }) => ['MEMORY', 'USAGE', key] as const),
  );
  const sums = new Map<number, { bytes: number; count: number }>();
  for (const [at, { slot }] of samples.entries()) {
    const size = sizes[at];
    if (typeof size !== 'number') continue; // gone since
    const { bytes, count } = sums.get(slot) ?? { bytes: 0, count: 0 };
    sums.set(slot, { bytes: bytes + size, count: count + 1 });
  }
  return new Map([...sums].map(([slot, { bytes, count }]) => [slot, (bytes / count) * keys.get(slot)!]));
}

const keysIn = (answer: Reply | undefined): Buffer[] => (Array.isArray(answer) ? answer.filter(Buffer.isBuffer) : []);

async function inBatches(
  node: NodeCommands,
  commands: readonly (readonly (string | number | Buffer)[])[],
  batch = BATCH,
): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (let from = 0; from < commands.length; from += batch) {
    replies.push(...(await node.pipeline(commands.slice(from, from + batch))));
  }
  return replies;
}
