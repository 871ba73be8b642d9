/**
 * A node's whole data as an RDB file, over a connection of its own: as a replica gets it that wants no stream afterwards
 * (REPLCONF rdb-only, SYNC; Valkey's replication.c). The node forks for it, and its child waits where the reader is slow.
 *
 *     REPLCONF capa eof, rdb-only 1, version ─> +OK +OK +OK, SYNC ─> (newlines while it prepares) $EOF:<mark> bytes ... <mark>
 */
import { encodeCommand } from '../resp/encode.ts';
import { ReplyError } from '../resp/reply.ts';
import { EngineReplyError, EngineUnreachable } from './engine-errors.ts';
import { Session, type SessionOptions } from './session.ts';

/** So many bytes may wait to be taken before nothing more is read: what comes at once keeps processors at once. */
const MOST_WAITING = 128 * 1024;
/** A node that sends nothing for so long, not even that it still prepares, has been lost. */
const SILENCE_MS = 30_000;
const MARK_BYTES = 40;
const NOTHING = Buffer.alloc(0);
const HEAD = /^\$(?:EOF:([0-9a-f]{40})|(\d+))\r\n/;
const LONGEST_HEAD = 128;
const WISHES = [
  ['REPLCONF', 'capa', 'eof'],
  ['REPLCONF', 'rdb-only', '1'],
  // Else it takes us for an older one, writes its RDB for that, and fails at what that could not read.
  ['REPLCONF', 'version', '9.1.0'],
];

export interface RdbStream {
  /** Milliseconds since the epoch, by this clock: the data is that of this moment, or a little before. */
  forkedAt: number;
  /** To be read to its end; it throws where that does not come. Left early, the node is told by the end of the connection. */
  bytes: AsyncIterable<Buffer>;
}

/** Asks for it; resolves when the node has forked. @throws EngineUnreachable, EngineReplyError */
export async function openRdbStream(
  options: SessionOptions,
  now: () => number,
  signal?: AbortSignal,
): Promise<RdbStream> {
  const line = new RdbLine(options, signal);
  const left = await line.head();
  return { forkedAt: now(), bytes: line.body(left) };
}

class RdbLine {
  readonly #session: Session;
  readonly #where: string;
  readonly #signal: AbortSignal | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #ended: Error | null = null;
  #wake: () => void = () => {};
  #silence: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions, signal: AbortSignal | undefined) {
    this.#where = `${options.host}:${options.port}`;
    this.#signal = signal;
    this.#session = new Session(options, {
      ready: () => {
        this.#session.write(Buffer.concat(WISHES.map(encodeCommand)));
        this.#heard();
      },
      bytes: (chunk) => this.#received(chunk),
      ended: (why) => this.#end(why),
    });
    signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  readonly #aborted = (): void => {
    const { reason } = this.#signal!;
    this.#end(reason instanceof Error ? reason : new Error(String(reason)));
  };

  /** Until the RDB begins. @returns how it will end, and what has come of it */
  async head(): Promise<Frame> {
    try {
      let text = Buffer.alloc(0);
      let acknowledged = 0;
      for (;;) {
        text = Buffer.concat([text, await this.#next()]);
        for (;;) {
          const start = text.findIndex((byte) => byte !== 0x0a); // it prepares
          text = start < 0 ? Buffer.alloc(0) : text.subarray(start);
          const end = text.indexOf('\r\n');
          if (end < 0) break;
          const begun = HEAD.exec(text.toString('latin1', 0, end + 2));
          if (begun) {
            const [whole, mark, length] = begun;
            const left = text.subarray(whole.length);
            return mark === undefined ? { length: Number(length), left } : { mark: Buffer.from(mark), left };
          }
          const word = text.toString('utf8', 0, end);
          text = text.subarray(end + 2);
          acknowledged += 1;
          if (word.startsWith('-')) throw new EngineReplyError('SYNC', new ReplyError(word.slice(1)));
          // The engine refuses it while an answer is still on its way.
          if (acknowledged === WISHES.length) this.#session.write(encodeCommand(['SYNC']));
          if (acknowledged > WISHES.length) throw this.#lost(`it answered SYNC with ${word.slice(0, LONGEST_HEAD)}`);
        }
        if (text.length > LONGEST_HEAD) throw this.#lost('what it sent does not begin as an RDB does');
      }
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  async *body(frame: Frame): AsyncGenerator<Buffer> {
    try {
      yield* 'mark' in frame ? this.#untilMark(frame.mark, frame.left) : this.#counted(frame.length, frame.left);
    } finally {
      this.#close();
    }
  }

  /**
   * The mark is 40 random bytes that nothing comes after: what looks like it in the middle is data. What came last is kept
   * back, since it may end with it; large pieces are not copied, as each copy would be garbage for the collector of a large heap.
   */
  async *#untilMark(mark: Buffer, left: Buffer): AsyncGenerator<Buffer> {
    let last = left;
    while (!last.subarray(-MARK_BYTES).equals(mark)) {
      const next = await this.#next();
      // The mark may lie in both: of the one before, so much of it as could be.
      const kept = next.length < MARK_BYTES ? last.subarray(-MARK_BYTES) : NOTHING;
      const data = last.subarray(0, last.length - kept.length);
      if (data.length > 0) yield data;
      last = kept.length > 0 ? Buffer.concat([kept, next]) : next;
    }
    const data = last.subarray(0, -MARK_BYTES);
    if (data.length > 0) yield data;
  }

  async *#counted(length: number, left: Buffer): AsyncGenerator<Buffer> {
    let missing = length;
    for (let chunk = left; ; chunk = await this.#next()) {
      const part = chunk.subarray(0, missing);
      missing -= part.length;
      if (part.length > 0) yield part;
      if (missing === 0) return;
    }
  }

  /** @throws what ended it, once all that came before was taken */
  async #next(): Promise<Buffer> {
    while (this.#waiting.length === 0) {
      if (this.#ended) throw this.#ended;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const chunk = this.#waiting.shift()!;
    this.#waitingBytes -= chunk.length;
    if (this.#waitingBytes < MOST_WAITING) this.#session.resume();
    return chunk;
  }

  #received(chunk: Buffer): void {
    this.#heard();
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= MOST_WAITING) this.#session.pause();
    this.#wake();
  }

  /** Silence counts only while this side would hear. */
  #heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (this.#waitingBytes >= MOST_WAITING) this.#heard();
      else this.#end(this.#lost(`nothing came for ${SILENCE_MS} ms`));
    }, SILENCE_MS);
  }

  #end(why: Error): void {
    this.#ended ??= why;
    this.#close();
    this.#wake();
  }

  #close(): void {
    clearTimeout(this.#silence);
    this.#signal?.removeEventListener('abort', this.#aborted);
    this.#session.end();
  }

  #lost(detail: string): EngineUnreachable {
    return new EngineUnreachable('closed', `${this.#where}: ${detail}`);
  }
}

type Frame = { left: Buffer } & ({ mark: Buffer } | { length: number });
