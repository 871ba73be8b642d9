/**
 * Bytes to replies, in whatever pieces they come (RESP2 and RESP3). No byte is looked at twice: a reply that is not
 * whole yet keeps its place on a stack, and the line or string that is under way is gathered until its end is there.
 */
import { ByteBuffer } from './byte-buffer.ts';
import { ProtocolError, Push, type Reply, ReplyError } from './reply.ts';
import { parseBigNumber, parseBoolean, parseDouble, parseInteger, parseLength } from './scalars.ts';

export interface DecodeOptions {
  /** Bulk and verbatim strings as Buffers of their own instead of UTF-8 text. */
  binary: boolean;
  /** Aggregates within aggregates. */
  depth: number;
  /** Bytes of one bulk string, verbatim string or bulk error. */
  stringBytes: number;
  /** Elements of one array, set or push; pairs of one map. */
  elements: number;
  /** Bytes of a line with its end: a type with a length, a simple string or an error. */
  lineBytes: number;
}

const DEFAULTS: DecodeOptions = {
  binary: false,
  depth: 32,
  stringBytes: 512 * 1024 ** 2,
  elements: 1024 ** 2,
  lineBytes: 64 * 1024,
};

/** The longest string of JavaScript's engine: a little less than the longest of RESP. */
const LONGEST_TEXT_BYTES = 2 ** 29 - 24;

const CR = 0x0d;
const LF = 0x0a;
const CRLF_BYTES = 2;
/** `txt:` before the content of a verbatim string. */
const FORMAT_BYTES = 4;

type StringType = '$' | '=' | '!';
type AggregateType = '*' | '~' | '>' | '%' | '|';

/** An aggregate whose elements are still coming. */
interface Frame {
  type: AggregateType;
  missing: number;
  items: Reply[];
}

export class Decoder {
  readonly #options: DecodeOptions;
  /** The beginning of a line or string whose end has not come yet. */
  readonly #partial = new ByteBuffer();
  /** The string whose content comes next; null when a line does. */
  #string: { type: StringType; lengthBytes: number } | null = null;
  /** The aggregates around what comes next, outermost first. */
  readonly #open: Frame[] = [];
  #ready: Reply[] = [];
  #taken = 0;
  #failure: ProtocolError | null = null;

  constructor(options: Partial<DecodeOptions> = {}) {
    const merged = { ...DEFAULTS, ...options };
    const longest = merged.binary ? merged.stringBytes : Math.min(merged.stringBytes, LONGEST_TEXT_BYTES);
    this.#options = { ...merged, stringBytes: longest };
  }

  /** Reads the chunk to its end; it may be reused afterwards. After a failure, what follows is ignored. */
  push(chunk: Buffer): void {
    try {
      let at = 0;
      while (at < chunk.length && !this.#failure) {
        at = this.#string ? this.#readString(chunk, at, this.#string) : this.#readLine(chunk, at);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#failure = error;
      this.#open.length = 0;
      this.#partial.clear();
    }
  }

  /**
   * The next whole reply, in order; undefined until more bytes come.
   * @throws ProtocolError after the last reply before the fault, from then on always
   */
  next(): Reply | undefined {
    if (this.#taken < this.#ready.length) return this.#ready[this.#taken++];
    this.#ready = [];
    this.#taken = 0;
    if (this.#failure) throw this.#failure;
    return undefined;
  }

  /** Returns how far it read. */
  #readLine(chunk: Buffer, start: number): number {
    const { lineBytes } = this.#options;
    const found = chunk.indexOf(LF, start);
    const end = found < 0 ? chunk.length : found + 1;
    if (this.#partial.length + end - start > lineBytes) {
      throw new ProtocolError(`a line is longer than the limit of ${lineBytes} bytes`);
    }
    if (found >= 0 && this.#partial.length === 0) {
      this.#line(chunk.subarray(start, end));
      return end;
    }
    this.#partial.append(chunk, start, end, lineBytes);
    if (found >= 0) {
      this.#line(this.#partial.bytes());
      this.#partial.clear();
    }
    return end;
  }

  /** Returns how far it read. */
  #readString(chunk: Buffer, start: number, { type, lengthBytes }: { type: StringType; lengthBytes: number }): number {
    const whole = lengthBytes + CRLF_BYTES;
    const end = Math.min(chunk.length, start + whole - this.#partial.length);
    if (end - start === whole) {
      this.#stringEnded(type, chunk.subarray(start, end));
      return end;
    }
    this.#partial.append(chunk, start, end, whole);
    if (this.#partial.length === whole) {
      this.#stringEnded(type, this.#partial.bytes());
      this.#partial.clear();
    }
    return end;
  }

  #line(line: Buffer): void {
    const end = line.length - CRLF_BYTES;
    if (end < 1 || line.indexOf(CR) !== end) throw new ProtocolError('a line does not end as a line of RESP');
    const type = String.fromCharCode(line[0]!);
    const rest = line.toString('utf8', 1, end);
    switch (type) {
      case '+':
        return this.#value(rest);
      case '-':
        return this.#value(new ReplyError(rest));
      case ':':
        return this.#value(parseInteger(rest));
      case '_':
        if (rest !== '') throw new ProtocolError(`not a null: ${JSON.stringify(rest)}`);
        return this.#value(null);
      case '#':
        return this.#value(parseBoolean(rest));
      case ',':
        return this.#value(parseDouble(rest));
      case '(':
        return this.#value(parseBigNumber(rest));
      case '$':
      case '*':
        if (rest === '-1') return this.#value(null); // the nulls of RESP2
        return type === '$' ? this.#beginString(type, rest) : this.#beginAggregate(type, rest);
      case '=':
      case '!':
        return this.#beginString(type, rest);
      case '~':
      case '>':
      case '%':
      case '|':
        return this.#beginAggregate(type, rest);
      default:
        throw new ProtocolError(`not a type of RESP: ${JSON.stringify(type)}`);
    }
  }

  #beginString(type: StringType, length: string): void {
    this.#string = { type, lengthBytes: parseLength(length, this.#options.stringBytes) };
  }

  #stringEnded(type: StringType, bytes: Buffer): void {
    const end = bytes.length - CRLF_BYTES;
    if (bytes[end] !== CR || bytes[end + 1] !== LF) throw new ProtocolError('a string is longer than it said');
    this.#string = null;
    if (type === '!') return this.#value(new ReplyError(bytes.toString('utf8', 0, end)));
    const start = type === '=' ? FORMAT_BYTES : 0;
    if (start > 0 && bytes.indexOf(':') !== FORMAT_BYTES - 1) {
      throw new ProtocolError('a verbatim string does not say its format');
    }
    this.#value(this.#options.binary ? Buffer.from(bytes.subarray(start, end)) : bytes.toString('utf8', start, end));
  }

  #beginAggregate(type: AggregateType, length: string): void {
    const { depth, elements } = this.#options;
    if (this.#open.length >= depth) throw new ProtocolError(`replies are nested deeper than the limit of ${depth}`);
    if (type === '>' && this.#open.length > 0) throw new ProtocolError('a push inside of a reply');
    const count = parseLength(length, elements);
    const frame: Frame = { type, missing: type === '%' || type === '|' ? 2 * count : count, items: [] };
    if (frame.missing > 0) this.#open.push(frame);
    else if (type !== '|') this.#value(aggregate(frame));
  }

  /** A value is whole: it is a reply of its own, or the next element of the innermost aggregate, which may be the last. */
  #value(value: Reply): void {
    for (let whole = value; ; ) {
      const frame = this.#open.at(-1);
      if (!frame) {
        this.#ready.push(whole);
        return;
      }
      frame.items.push(whole);
      frame.missing -= 1;
      if (frame.missing > 0) return;
      this.#open.pop();
      // Attributes say something about the value that follows, and are no value themselves; nobody here asks for them.
      if (frame.type === '|') return;
      whole = aggregate(frame);
    }
  }
}

function aggregate({ type, items }: Frame): Reply {
  switch (type) {
    case '~':
      return new Set(items);
    case '>':
      return new Push(items);
    case '%':
      return new Map(pairsOf(items));
    default:
      return items;
  }
}

function* pairsOf(items: readonly Reply[]): Generator<[Reply, Reply]> {
  for (let index = 0; index < items.length; index += 2) yield [items[index]!, items[index + 1]!];
}
