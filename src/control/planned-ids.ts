/** Ids for nodes that are only planned: whoever asks for a dry run first gets these very nodes. */
import { randomBytes } from 'node:crypto';
import type { NodeId } from '../domain/ids.ts';

/** Names whose ids are kept at most; the oldest make way. */
const MAX_NAMES = 1_000;

/** As the engine makes them: 40 hexadecimal digits (`getRandomHexChars`, Valkey's cluster_legacy.c). */
export const newNodeId = (): NodeId => randomBytes(20).toString('hex');

export class PlannedIds {
  readonly #byName = new Map<string, NodeId[]>();

  /** The ids that the first nodes of a database of this name would have; the same until they are taken. */
  show(name: string, count: number): NodeId[] {
    const ids = this.#byName.get(name) ?? [];
    while (ids.length < count) ids.push(newNodeId());
    this.#byName.delete(name);
    this.#byName.set(name, ids);
    const [oldest] = this.#byName.keys();
    if (this.#byName.size > MAX_NAMES) this.#byName.delete(oldest!);
    return ids.slice(0, count);
  }

  /** The same, for the database that is created now: no other gets them. */
  take(name: string, count: number): NodeId[] {
    const ids = this.show(name, count);
    this.#byName.delete(name);
    return ids;
  }
}
