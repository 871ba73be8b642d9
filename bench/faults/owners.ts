/** Who owns which slots, by the word of every node. Pure. */
import { parseClusterNodes } from '../../src/valkey/cluster-nodes.ts';

const SLOTS = 16_384;

/** What one node says. */
export interface Owners {
  /** The same for nodes that say the same. */
  text: string;
  /** Slots with an owner, those with two counted twice, and once. */
  owned: number;
  distinct: number;
  /** Primaries without slots. */
  idle: number;
  /** All nodes it knows. */
  known: readonly string[];
}

/** From the answer to CLUSTER NODES. */
export function ownersIn(clusterNodes: string): Owners {
  const lines = parseClusterNodes(clusterNodes);
  const primaries = lines.filter(({ role }) => role === 'primary');
  const slots = primaries.flatMap((line) => line.slots.flatMap(([from, to]) => range(from, to)));
  const text = primaries
    .map((line) => `${line.id} ${JSON.stringify(line.slots)}`)
    .sort()
    .join('\n');
  const idle = primaries.filter((line) => line.slots.length === 0).length;
  return { text, owned: slots.length, distinct: new Set(slots).size, idle, known: lines.map(({ id }) => id) };
}

/** What is wrong with what all of them say alike; null while they do not. */
export function wrongIn(views: readonly Owners[]): string[] | null {
  const [first] = views;
  if (!first || views.some(({ text }) => text !== first.text)) return null;
  const wrong: string[] = [];
  if (first.owned !== SLOTS || first.distinct !== SLOTS)
    wrong.push(`${first.distinct} slots of ${SLOTS} have an owner`);
  if (first.idle > 0) wrong.push(`${first.idle} primaries without slots`);
  return wrong;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
