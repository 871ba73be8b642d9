/**
 * Finds where one reply ends, without building a value, in whatever pieces its bytes come (RESP2 and RESP3). No byte is
 * looked at twice, and none needs to be kept: what is under way is a few numbers.
 *
 *     scan() -> [ line | bulk bytes | line ... ]   `missing` counts the values that are still to come
 */
import { ProtocolError } from './reply.ts';

const CR = 0x0d;
const LF = 0x0a;
const MINUS = 0x2d;
/** Bytes of a string, elements of an aggregate: more is no length. */
const LONGEST = 2 ** 32;

const AT_TYPE = 0;
const IN_LINE = 1;
const IN_BULK = 2;

export class ReplyScanner {
  /** The first byte of the reply under way or last found: its type. */
  type = 0;
  #state = AT_TYPE;
  /** Values that are still to come in the reply under way; 0 between replies. */
  #missing = 0;
  /** Of the line under way. */
  #lineType = 0;
  #number = 0;
  #digits = 0;
  #negative = false;
  /** The byte before the next one, in a line. */
  #previous = 0;
  /** Bytes of a bulk string that are still to come, with its line end. */
  #skip = 0;

  /** Nothing of a reply has come yet. */
  get isBetween(): boolean {
    return this.#missing === 0 && this.#state === AT_TYPE;
  }

  /**
   * Reads on from `from`.
   * @returns where the reply ends, or -1 when all bytes up to `end` belong to it and more must come
   * @throws ProtocolError for what is no RESP
   */
  scan(bytes: Buffer, from: number, end: number): number {
    let at = from;
    if (this.#missing === 0 && this.#state === AT_TYPE) {
      if (at >= end) return -1;
      this.type = bytes[at]!;
      const whole = wholeShort(bytes, at, end);
      if (whole > 0) return whole;
      this.#missing = 1;
    }
    while (at < end) {
      if (this.#state === AT_TYPE) {
        this.#lineType = bytes[at]!;
        this.#number = 0;
        this.#digits = 0;
        this.#negative = false;
        this.#previous = 0;
        this.#state = IN_LINE;
        at += 1;
      }
      if (this.#state === IN_LINE) {
        at = this.#line(bytes, at, end);
        if (at < 0) return -1;
      }
      if (this.#state === IN_BULK) {
        const left = end - at;
        if (left < this.#skip) {
          this.#skip -= left;
          return -1;
        }
        at += this.#skip;
        if (bytes[at - 1] !== LF) throw new ProtocolError('a string is longer than it says');
        this.#state = AT_TYPE;
        this.#missing -= 1;
      }
      if (this.#missing === 0) return at;
    }
    return -1;
  }

  /** @returns where the line ends, -1 when it does not end here */
  #line(bytes: Buffer, from: number, end: number): number {
    let at = from;
    switch (this.#lineType) {
      case 0x24: // $
      case 0x2a: // *
      case 0x25: // %
      case 0x7e: // ~
      case 0x3e: // >
      case 0x7c: // |
      case 0x3d: // =
      case 0x21: {
        // !
        return this.#length(bytes, at, end);
      }
      case 0x2b: // +
      case 0x2d: // -
      case 0x3a: // :
      case 0x5f: // _
      case 0x23: // #
      case 0x2c: // ,
      case 0x28: {
        // (
        for (; at < end; at += 1) {
          if (bytes[at] !== LF) continue;
          if ((at > from ? bytes[at - 1] : this.#previous) !== CR) throw new ProtocolError('a line ends without CR');
          this.#state = AT_TYPE;
          this.#missing -= 1;
          return at + 1;
        }
        this.#previous = bytes[end - 1]!;
        return -1;
      }
      default:
        throw new ProtocolError(`not a type of RESP: ${JSON.stringify(String.fromCharCode(this.#lineType))}`);
    }
  }

  #length(bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at += 1) {
      const byte = bytes[at]!;
      if (this.#previous === CR) {
        if (byte !== LF) throw notALength();
        this.#lengthKnown();
        return at + 1;
      }
      if (byte >= 48 && byte <= 57) {
        this.#number = this.#number * 10 + byte - 48;
        this.#digits += 1;
        if (this.#number > LONGEST) throw notALength();
      } else if (byte === MINUS && this.#digits === 0 && !this.#negative) this.#negative = true;
      else if (byte !== CR || this.#digits === 0) throw notALength();
      this.#previous = byte;
    }
    return -1;
  }

  #lengthKnown(): void {
    const type = this.#lineType;
    this.#state = AT_TYPE;
    if (this.#negative) {
      if (this.#number !== 1) throw notALength();
      this.#missing -= 1; // the nulls of RESP2
    } else if (type === 0x24 || type === 0x3d || type === 0x21) {
      this.#state = IN_BULK;
      this.#skip = this.#number + 2;
    } else if (type === 0x7c) {
      this.#missing += 2 * this.#number; // attributes come before a value, and are none
    } else {
      this.#missing += (type === 0x25 ? 2 : 1) * this.#number - 1;
    }
  }
}

/** Of a status or an integer that is looked for at once. */
const SHORT_BYTES = 32;
const DOLLAR = 0x24;

/**
 * The end of a reply of a common form that is there as a whole: a status, an integer, a string, an array of one string.
 * @returns 0 for any other: the long way tells what it is
 */
function wholeShort(bytes: Buffer, from: number, end: number): number {
  let at = from;
  if (bytes[at] === 0x2a && bytes[at + 1] === 0x31 && bytes[at + 2] === CR && bytes[at + 3] === LF) {
    at += 4; // *1
    if (bytes[at] !== DOLLAR) return 0;
  }
  const type = bytes[at];
  if (type === DOLLAR) return wholeString(bytes, at + 1, end);
  if (type !== 0x2b && type !== 0x3a) return 0; // + and :
  const last = Math.min(end, at + SHORT_BYTES);
  for (at += 1; at < last; at += 1) if (bytes[at] === LF) return bytes[at - 1] === CR ? at + 1 : 0;
  return 0;
}

/** What lies beyond `end` may be anything: whatever it is, the end that it makes lies beyond, too. */
function wholeString(bytes: Buffer, from: number, end: number): number {
  let at = from;
  let length = 0;
  let byte = bytes[at]!;
  for (; byte >= 48 && byte <= 57 && at < from + 9; byte = bytes[at]!) {
    length = length * 10 + byte - 48;
    at += 1;
  }
  if (at === from || byte !== CR || bytes[at + 1] !== LF) return 0;
  const after = at + 2 + length + 2;
  return after <= end && bytes[after - 1] === LF ? after : 0;
}

const notALength = (): ProtocolError => new ProtocolError('a length is not a number');
