/** Scripts that clients have called or loaded, by their SHA-1: to load them where a node does not know them. */
import { createHash } from 'node:crypto';

/** Names that are remembered of one connection; with more it begins anew. */
const KNOWN_A_CONNECTION = 4_096;

export class ScriptCache {
  readonly #scripts = new Map<string, Buffer>();
  /** By connection: scripts and functions that the node at its end was seen to have. */
  #known = new WeakMap<object, Set<string>>();
  readonly #limitBytes: number;
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Keeps it, newest last; the oldest go when there are too many bytes. */
  remember(script: Buffer): string {
    const sha = createHash('sha1').update(script).digest('hex');
    const known = this.#scripts.get(sha);
    if (known) {
      this.#scripts.delete(sha);
      this.#scripts.set(sha, known);
      return sha;
    }
    if (script.length > this.#limitBytes) return sha;
    this.#scripts.set(sha, Buffer.from(script));
    this.#bytes += script.length;
    for (const [oldest, { length }] of this.#scripts) {
      if (this.#bytes <= this.#limitBytes) break;
      this.#scripts.delete(oldest);
      this.#bytes -= length;
    }
    return sha;
  }

  get(sha: string): Buffer | undefined {
    return this.#scripts.get(sha.toLowerCase());
  }

  /** Whether the node was seen to have it since this connection to it was made. */
  isKnownAt(connection: object, name: string): boolean {
    return this.#known.get(connection)?.has(name) ?? false;
  }

  knownAt(connection: object, name: string): void {
    let names = this.#known.get(connection);
    if (names === undefined || names.size >= KNOWN_A_CONNECTION) {
      names = new Set();
      this.#known.set(connection, names);
    }
    names.add(name);
  }

  clear(): void {
    this.#known = new WeakMap();
    this.#scripts.clear();
    this.#bytes = 0;
  }
}
