/**
 * Bytes to replies, in whatever pieces they come (RESP2 and RESP3). Nothing is read twice: a reply that is not whole
 * yet keeps its place on a stack, and a long string's pieces are kept as they come until the last one is there.
 */
import { ProtocolError, Push, type Reply, ReplyError } from './reply.ts';

export interface DecodeLimits {
  /** Arrays within arrays. */
  depth: number;
  /** Bytes of one string. */
  stringBytes: number;
  /** Elements of one array, set, push, or pairs of one map. */
  elements: number;
  /** Bytes of a line: a type, a length, a simple string or error. */
  lineBytes: number;
}

export const DECODE_LIMITS: DecodeLimits = {
  depth: 32,
  stringBytes: 512 * 1024 ** 2,
  elements: 16 * 1024 ** 2,
  lineBytes: 64 * 1024,
};

/** An aggregate whose elements are still coming. */
interface Frame {
  kind: '*' | '~' | '>' | '%' | '|';
  missing: number;
  items: Reply[];
}

const CR = 13;
const LF = 10;

export class Decoder {
  readonly #limits: DecodeLimits;
  #chunks: Buffer[] = [];
  /** Bytes of `#chunks` in all, and where in the first one the next byte is. */
  #available = 0;
  #offset = 0;
  /** Bytes at the front that are known to hold no line end. */
  #scanned = 0;
  /** The string whose bytes are still coming: its length and whether it begins with a format (`=`). */
  #string: { length: number; verbatim: boolean } | null = null;
  #stack: Frame[] = [];
  #ready: Reply[] = [];
  #poison: ProtocolError | null = null;

  constructor(limits: DecodeLimits = DECODE_LIMITS) {
    this.#limits = limits;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#available += chunk.length;
  }

  /** The next whole reply, or undefined until more bytes come. @throws ProtocolError, from then on always */
  next(): Reply | undefined {
    if (this.#poison) throw this.#poison;
    try {
      while (this.#ready.length === 0 && this.#step());
    } catch (error) {
      this.#poison = error as ProtocolError;
      throw error;
    }
    return this.#ready.shift();
  }

  /** Takes one line or one string off the front; false when it is not all there. */
  #step(): boolean {
    if (this.#string) return this.#takeString(this.#string);
    const line = this.#takeLine();
    if (line === null) return false;
    this.#header(line[0] ?? '', line.slice(1));
    return true;
  }

  #takeString({ length, verbatim }: { length: number; verbatim: boolean }): boolean {
    if (this.#available < length + 2) return false;
    const bytes = this.#take(length + 2);
    if (bytes[length] !== CR || bytes[length + 1] !== LF)
      throw new ProtocolError('a string does not end where it should');
    this.#string = null;
    this.#value(bytes.toString('utf8', verbatim ? Math.min(4, length) : 0, length));
    return true;
  }

  /** The first line without its end, or null. */
  #takeLine(): string | null {
    let position = -this.#offset;
    for (const chunk of this.#chunks) {
      const start = Math.max(0, this.#scanned - position);
      if (start < chunk.length) {
        const end = chunk.indexOf(LF, start);
        if (end >= 0) {
          const line = this.#take(position + end + 1);
          this.#scanned = 0;
          if (line.length > this.#limits.lineBytes) throw new ProtocolError('a line is too long');
          if (line[line.length - 2] !== CR) throw new ProtocolError('a line ends without CR');
          return line.toString('utf8', 0, line.length - 2);
        }
      }
      position += chunk.length;
    }
    this.#scanned = this.#available;
    if (this.#available > this.#limits.lineBytes) throw new ProtocolError('a line is too long');
    return null;
  }

  #take(count: number): Buffer {
    const pieces: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const chunk = this.#chunks[0]!;
      const end = Math.min(chunk.length, this.#offset + missing);
      pieces.push(chunk.subarray(this.#offset, end));
      missing -= end - this.#offset;
      this.#offset = end;
      if (end === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
    }
    this.#available -= count;
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  #header(type: string, rest: string): void {
    switch (type) {
      case '+':
        return this.#value(rest);
      case '-':
        return this.#value(new ReplyError(rest));
      case ':':
        return this.#value(integer(rest));
      case '_':
        return this.#value(null);
      case '#':
        if (rest !== 't' && rest !== 'f') throw new ProtocolError(`not a boolean: ${JSON.stringify(rest)}`);
        return this.#value(rest === 't');
      case ',':
        return this.#value(double(rest));
      case '(':
        if (!/^[+-]?\d+$/.test(rest)) throw new ProtocolError(`not a big number: ${JSON.stringify(rest)}`);
        return this.#value(BigInt(rest));
      case '$':
      case '=':
      case '!':
        return this.#beginString(type, length(rest, this.#limits.stringBytes));
      case '*':
      case '~':
      case '>':
      case '%':
      case '|':
        return this.#beginAggregate(type, length(rest, this.#limits.elements));
      default:
        throw new ProtocolError(`not a reply type: ${JSON.stringify(type)}`);
    }
  }

  #beginString(type: '$' | '=' | '!', size: number | null): void {
    if (size === null) return this.#value(null);
    if (type === '!') this.#stack.push({ kind: '|', missing: -1, items: [] });
    this.#string = { length: size, verbatim: type === '=' };
  }

  #beginAggregate(kind: Frame['kind'], size: number | null): void {
    if (size === null) return this.#value(null);
    if (this.#stack.length >= this.#limits.depth) throw new ProtocolError('replies are nested too deeply');
    const missing = kind === '%' || kind === '|' ? size * 2 : size;
    this.#stack.push({ kind, missing, items: [] });
    if (missing === 0) this.#finish();
  }

  /** A value is whole: it belongs to the innermost open aggregate, or is a reply of its own. */
  #value(value: Reply): void {
    const frame = this.#stack.at(-1);
    if (!frame) {
      this.#ready.push(value);
      return;
    }
    if (frame.missing === -1) {
      // The text of a blob error: its frame held the place until the string was whole.
      this.#stack.pop();
      return this.#value(new ReplyError(String(value)));
    }
    frame.items.push(value);
    frame.missing -= 1;
    if (frame.missing === 0) this.#finish();
  }

  #finish(): void {
    const { kind, items } = this.#stack.pop()!;
    if (kind === '|') return; // attributes say something about the reply that follows; nobody here asks for them
    if (kind === '%') return this.#value(new Map(pairs(items)));
    if (kind === '~') return this.#value(new Set(items));
    this.#value(kind === '>' ? new Push(items) : items);
  }
}

function* pairs(items: readonly Reply[]): Generator<[Reply, Reply]> {
  for (let index = 0; index < items.length; index += 2) yield [items[index]!, items[index + 1]!];
}

function integer(text: string): number | bigint {
  if (!/^[+-]?\d{1,19}$/.test(text)) throw new ProtocolError(`not an integer: ${JSON.stringify(text)}`);
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

function double(text: string): number {
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^-?nan$/i.test(text)) return Number.NaN;
  if (!/^[+-]?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(text)) throw new ProtocolError(`not a double: ${JSON.stringify(text)}`);
  return Number(text);
}

/** A length, or null for the -1 of RESP2's nulls. */
function length(text: string, limit: number): number | null {
  if (text === '-1') return null;
  if (!/^\d{1,10}$/.test(text)) throw new ProtocolError(`not a length: ${JSON.stringify(text)}`);
  const value = Number(text);
  if (value > limit) throw new ProtocolError(`a length of ${value} exceeds the limit of ${limit}`);
  return value;
}
