/** Scripts that clients have called or loaded, by their SHA-1: to load them where a node does not know them. */
import { createHash } from 'node:crypto';

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

  clear(): void {
    this.#scripts.clear();
    this.#bytes = 0;
  }
}
