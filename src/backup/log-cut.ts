/**
 * Where an append-only log is to end so that it has all that was done up to a moment. The engine writes a line
 * `#TS:<seconds>` before the first command of each second (`aof-timestamp-enabled`); the log ends before the first of
 * them that is later. Between these lines are commands: `*<arguments>`, and each argument as `$<bytes>` and so many bytes.
 * A transaction is never cut in two: it is in the log as a whole, or not at all.
 */

/** More than the engine writes in any of its lines. */
const LONGEST_LINE = 1_024;
const LF = 0x0a;
const CR = 0x0d;
const TIME = /^#TS:(\d{1,12})$/;
/** A length or a count. */
const NUMBER = /^(?:0|[1-9]\d{0,11})$/;
/** Of a transaction: its first word and its last one. */
const BEGIN = 'MULTI';
const END = 'EXEC';

/** Raised where the log is no log. */
export class LogDamage extends Error {
  override readonly name = 'LogDamage';
}

/** What is expected next. */
type State =
  | { kind: 'record' }
  | { kind: 'length'; left: number }
  | { kind: 'value'; left: number; bytes: number; filled: number };

/** Takes a log in chunks, however they are cut, and gives back what of them is to stay. */
export class LogCut {
  readonly #until: number;
  #state: State = { kind: 'record' };
  /** The line that is coming, as far as it has come. */
  #line = Buffer.alloc(0);
  /** Bytes of the log that were taken so far. */
  #at = 0;
  /** The first word of the command that is coming; null where it is too long to matter. */
  #word: Buffer | null = null;
  #isFirst = false;
  #inTransaction = false;
  /** A line in the middle of a transaction told of a later moment. */
  #endsAfter = false;
  #isOver = false;

  /** @param until whole seconds since the epoch: what was done in this second is in it */
  constructor(until: number) {
    this.#until = until;
  }

  /** What comes now is later than the moment: nothing more need be given. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What of the log stays, of the chunk and of what was held back before. @throws LogDamage */
  take(chunk: Uint8Array): Buffer {
    if (this.#isOver) return Buffer.alloc(0);
    const held = this.#state.kind === 'record' ? this.#line : Buffer.alloc(0);
    const all =
      held.length > 0 ? Buffer.concat([held, chunk]) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    // A line that may be the one to end before is held back until all of it is here.
    if (held.length > 0) this.#line = Buffer.alloc(0);
    this.#at -= held.length;
    let at = 0;
    /** Up to here it stays. */
    let kept = 0;
    while (at < all.length) {
      const state = this.#state;
      if (state.kind === 'value') {
        at += this.#value(all.subarray(at), state);
        kept = at;
        if (this.#isOver) break;
        continue;
      }
      const end = all.indexOf(LF, at);
      const part = all.subarray(at, end === -1 ? all.length : end + 1);
      if (this.#line.length + part.length > LONGEST_LINE) throw this.#damage('a line is longer than any of a log');
      this.#line = Buffer.concat([this.#line, part]);
      if (end === -1) {
        at = all.length;
        if (state.kind === 'length') kept = at;
        break;
      }
      at = end + 1;
      if (!this.#endOfLine(state)) {
        this.#isOver = true;
        break;
      }
      kept = at;
      if (this.#isOver) break;
    }
    this.#at += at;
    return all.subarray(0, kept);
  }

  /** The log is at its end. @throws LogDamage where that is in the middle of something */
  end(): void {
    if (this.#isOver) return;
    if (this.#state.kind !== 'record' || this.#line.length > 0)
      throw this.#damage('it ends in the middle of a command');
    if (this.#inTransaction) throw this.#damage('it ends in the middle of a transaction');
  }

  /** @returns whether the line stays; it is used up */
  #endOfLine(state: Exclude<State, { kind: 'value' }>): boolean {
    const line = this.#line;
    if (line.at(-2) !== CR) throw this.#damage('a line does not end as those of a log do');
    const text = line.toString('latin1', 0, line.length - 2);
    this.#line = Buffer.alloc(0);
    if (state.kind === 'length') {
      this.#state = { kind: 'value', left: state.left, bytes: this.#number(text, '$'), filled: 0 };
      this.#word = this.#isFirst && this.#state.bytes <= BEGIN.length ? Buffer.alloc(0) : null;
      return true;
    }
    if (text.startsWith('#')) return this.#mayFollow(TIME.exec(text)?.[1]);
    const count = this.#number(text, '*');
    if (count === 0) throw this.#damage('a command has no words');
    this.#isFirst = true;
    this.#state = { kind: 'length', left: count };
    return true;
  }

  /** Whether what comes after a line of this second, if it tells one, is to stay. */
  #mayFollow(seconds: string | undefined): boolean {
    if (seconds === undefined || Number(seconds) <= this.#until) return true;
    if (!this.#inTransaction) return false;
    this.#endsAfter = true;
    return true;
  }

  /** @returns how many bytes of it are the value's */
  #value(bytes: Buffer, state: Extract<State, { kind: 'value' }>): number {
    const total = state.bytes + 2;
    const taken = Math.min(total - state.filled, bytes.length);
    if (this.#word && state.filled < state.bytes) {
      const ofWord = Math.min(taken, state.bytes - state.filled);
      this.#word = Buffer.concat([this.#word, bytes.subarray(0, ofWord)]);
    }
    const isCr = state.filled <= state.bytes && state.filled + taken > state.bytes;
    if (isCr && bytes[state.bytes - state.filled] !== CR) throw this.#damage('a value is longer than it says');
    state.filled += taken;
    if (state.filled < total) return taken;
    if (bytes[taken - 1] !== LF) throw this.#damage('a value is longer than it says');
    if (this.#isFirst) this.#begun(this.#word?.toString('latin1').toUpperCase());
    this.#isFirst = false;
    this.#state = state.left > 1 ? { kind: 'length', left: state.left - 1 } : { kind: 'record' };
    if (this.#state.kind === 'record' && this.#endsAfter && !this.#inTransaction) this.#isOver = true;
    return taken;
  }

  #begun(word: string | undefined): void {
    if (word === BEGIN) this.#inTransaction = true;
    else if (word === END) this.#inTransaction = false;
  }

  #number(text: string, sign: '*' | '$'): number {
    const digits = text.slice(1);
    if (text[0] !== sign || !NUMBER.test(digits))
      throw this.#damage(`a line with ${sign} and a number should be there`);
    return Number(digits);
  }

  #damage(problem: string): LogDamage {
    return new LogDamage(`near its byte ${this.#at}, ${problem}`);
  }
}

/** The log up to the moment. @throws LogDamage, and what the log throws */
export async function* cutLog(log: AsyncIterable<Uint8Array>, until: number): AsyncGenerator<Buffer> {
  const cut = new LogCut(until);
  for await (const chunk of log) {
    const kept = cut.take(chunk);
    if (kept.length > 0) yield kept;
    if (cut.isOver) return;
  }
  cut.end();
}
