/** Scripts that clients have called or loaded, by their SHA-1: to load them where a node does not know them. */
import { createHash } from 'node:crypto';

/** What a script takes beside its text. */
const EXTRA_BYTES = 256;
const sizeOf = (script: Buffer): number => script.length + EXTRA_BYTES;

export class ScriptCache {
  readonly #scripts = new Map<string, Buffer>();
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
    if (sizeOf(script) > this.#limitBytes) return sha;
    this.#scripts.set(sha, Buffer.from(script));
    this.#bytes += sizeOf(script);
    for (const [oldest, old] of this.#scripts) {
      if (this.#bytes <= this.#limitBytes) break;
      this.#scripts.delete(oldest);
      this.#bytes -= sizeOf(old);
    }
    return sha;
  }

  get(sha: string): Buffer | undefined {
    return this.#scripts.get(sha.toLowerCase());
  }

  clear(): void {
    this.#scripts.clear();
    this.#bytes = 0;
  }
}
