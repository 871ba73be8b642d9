/** What is wrong in a YAML file that a person wrote, told with its place. */
import { isMap, isScalar, type LineCounter, type Node } from 'yaml';

/** One thing that is wrong. */
export interface Mistake {
  /** Where it begins in the text. */
  offset: number;
  text: string;
}

/** Every mistake as `file:line:column: what`, a line each, in the order of the file. */
export const tellMistakes = (mistakes: readonly Mistake[], file: string, lines: LineCounter): string =>
  [...mistakes]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, text }) => {
      const { line, col } = lines.linePos(offset);
      // A text that was refused unread has no lines yet.
      return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}: ${text}`;
    })
    .join('\n');

/** Where a node begins in the text. */
export const offsetOf = (node: Node | null): number => node?.range?.[0] ?? 0;

/** Nothing is written there. */
export const isEmpty = (node: unknown): boolean => node === null || (isScalar(node) && node.value === null);

/** What is written there, for a message. */
export function show(node: Node | null): string {
  if (isEmpty(node)) return 'empty';
  if (!isScalar(node)) return isMap(node) ? 'a list of fields' : 'a list';
  return String(node.source ?? node.value).slice(0, 60);
}

/** Names the known key that differs in the fewest letters, if that is near enough to be what was meant. */
export function suggestion(key: string, known: readonly string[]): string {
  const [nearest] = known
    .map((one) => ({ one, distance: distance(key.toLowerCase(), one) }))
    .sort((a, b) => a.distance - b.distance);
  return nearest && nearest.distance <= Math.max(2, nearest.one.length / 3) ? `; did you mean ${nearest.one}?` : '';
}

/** Letters to be changed, added or taken to make one of the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let at = 1; at <= from.length; at += 1) {
    const next = [at];
    for (let other = 1; other <= to.length; other += 1) {
      const same = from[at - 1] === to[other - 1] ? 0 : 1;
      next.push(Math.min(next[other - 1]! + 1, row[other]! + 1, row[other - 1]! + same));
    }
    row = next;
  }
  return row[to.length]!;
}
