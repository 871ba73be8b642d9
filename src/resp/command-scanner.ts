/**
 * Finds where one command ends and where its arguments lie, without building a value. Bytes may come in any pieces:
 * a command that is not whole yet is resumed where it was left, so no byte is looked at twice.
 *
 *     *2\r\n$3\r\nGET\r\n$5\r\nhello\r\n
 *     ^base     ^starts[0]  ^starts[1]  ^end          all offsets are counted from the base
 *
 * Limits and error texts are the engine's (networking.c of Valkey 9.1). What it refuses must be refused here: commands go
 * on as they are, over connections that many clients share, and the engine closes the connection at the first bad byte.
 */

import { encodeCommand } from './encode.ts';
import { splitInline } from './inline.ts';
import { ProtocolError } from './reply.ts';

const CR = 0x0d;
const LF = 0x0a;
const STAR = 0x2a;
const DOLLAR = 0x24;
const MINUS = 0x2d;
const ZERO = 0x30;
const INVALID_CRLF = 'invalid CRLF in request';

/** A line with a number in it, or an inline command, is no longer than this (PROTO_INLINE_MAX_SIZE). */
const LINE_BYTES = 64 * 1024;
const LENGTH_DIGITS = 19;

export interface ScanLimits {
  /** Arguments of one command. */
  args: number;
  /** Bytes of one argument. */
  argBytes: number;
}

/** The engine's own limits, and those of a client that has not said yet who it is. */
export const ENGINE_LIMITS: ScanLimits = { args: 2 ** 31 - 1, argBytes: 512 * 1024 * 1024 };
export const STRANGER_LIMITS: ScanLimits = { args: 10, argBytes: 16_384 };

export class CommandScanner {
  /** Arguments of the command found. */
  argc = 0;
  /** Where each argument begins and how long it is, counted from the base. */
  starts = new Int32Array(16);
  lengths = new Int32Array(16);
  /** Bytes from the base that the command will have at least; known before it is whole. */
  neededBytes = 0;
  /** The arguments of an inline command, as a frame of its own; null for an ordinary command. */
  inline: Buffer | null = null;
  #at = 0;
  #found = -1;

  /** Forgets a command that was begun. */
  reset(): void {
    this.#found = -1;
    this.#at = 0;
    this.inline = null;
  }

  /** Takes over where another scanner stands in its command. */
  resumeFrom(other: CommandScanner): void {
    this.argc = other.argc;
    // As many as were found: the other's room is for the longest command it ever saw.
    const room = Math.max(16, other.#found);
    this.starts = other.starts.slice(0, room);
    this.lengths = other.lengths.slice(0, room);
    this.neededBytes = other.neededBytes;
    this.#at = other.#at;
    this.#found = other.#found;
    this.inline = null;
  }

  /**
   * Reads on in the command that begins at `base`; `end` is where the bytes end.
   * @returns where the command ends, or 0 when more bytes must come. A command without arguments ends, too: `argc` is 0.
   * @throws ProtocolError with the engine's text
   */
  scan(bytes: Buffer, base: number, end: number, limits: ScanLimits): number {
    if (this.#found < 0) {
      if (base >= end) return 0;
      if (bytes[base] !== STAR) return this.#scanInline(bytes, base, end);
      const digit = bytes[base + 1]! - 48;
      if (digit > 0 && digit <= 9 && bytes[base + 2] === CR && bytes[base + 3] === LF && base + 4 <= end) {
        this.inline = null; // by far the most common: 1 to 9 arguments
        this.argc = digit;
        this.#found = 0;
        this.#at = 4;
        return this.#scanArguments(bytes, base, end, limits);
      }
      const after = this.#number(bytes, base + 1, end, 'too big mbulk count string');
      if (after === 0) return this.#more(end + 1, base);
      const count = this.#value;
      if (!this.#isNumber || count > limits.args) {
        const stranger = this.#isNumber && count <= ENGINE_LIMITS.args;
        throw new ProtocolError(stranger ? 'unauthenticated multibulk length' : 'invalid multibulk length');
      }
      this.inline = null;
      this.argc = count > 0 ? count : 0;
      if (count <= 0) return after;
      this.#found = 0;
      this.#at = after - base;
    }
    return this.#scanArguments(bytes, base, end, limits);
  }

  #scanArguments(bytes: Buffer, base: number, end: number, limits: ScanLimits): number {
    let at = base + this.#at;
    let found = this.#found;
    const argc = this.argc;
    while (found < argc) {
      if (at >= end) return this.#pause(found, at, base, at + 1);
      if (bytes[at] !== DOLLAR) {
        throw new ProtocolError(`expected '$', got '${String.fromCharCode(bytes[at]!)}'`);
      }
      // One or two digits are by far the most common; anything else goes the long way.
      let length = bytes[at + 1]! - 48;
      let start: number;
      if (at + 4 < end && length >= 0 && length <= 9 && bytes[at + 2] === CR && bytes[at + 3] === LF) {
        start = at + 4;
      } else if (at + 5 < end && length >= 1 && length <= 9 && bytes[at + 3] === CR && isDigit(bytes[at + 2]!)) {
        if (bytes[at + 4] !== LF) throw new ProtocolError(INVALID_CRLF);
        length = length * 10 + bytes[at + 2]! - 48;
        start = at + 5;
      } else {
        start = this.#number(bytes, at + 1, end, 'too big bulk count string');
        if (start === 0) return this.#pause(found, at, base, end + 1);
        length = this.#value;
        if (!this.#isNumber || length < 0 || length > limits.argBytes) {
          const stranger = this.#isNumber && length >= 0 && length <= ENGINE_LIMITS.argBytes;
          throw new ProtocolError(
            stranger && limits === STRANGER_LIMITS ? 'unauthenticated bulk length' : 'invalid bulk length',
          );
        }
      }
      const next = start + length + 2;
      if (next > end) return this.#pause(found, at, base, next);
      if (bytes[next - 2] !== CR || bytes[next - 1] !== LF) throw new ProtocolError(INVALID_CRLF);
      if (found >= this.starts.length) this.#grow(Math.min(argc, found * 2));
      this.starts[found] = start - base;
      this.lengths[found] = length;
      found += 1;
      at = next;
    }
    this.#found = -1;
    return at;
  }

  #pause(found: number, at: number, base: number, needed: number): 0 {
    this.#found = found;
    this.#at = at - base;
    // What follows this argument takes at least `$0\r\n\r\n` each.
    this.neededBytes = needed - base + Math.max(0, this.argc - found - 1) * 6;
    return 0;
  }

  #more(needed: number, base: number): 0 {
    this.neededBytes = needed - base;
    return 0;
  }

  #value = 0;
  #isNumber = false;

  /** A decimal number up to its line's end, in its one form: no sign but a minus, no leading zero. @returns where the next line begins, 0 when the line is not whole */
  #number(bytes: Buffer, from: number, end: number, tooLong: string): number {
    let at = from;
    const negative = bytes[at] === MINUS;
    if (negative) at += 1;
    const first = at;
    let value = 0;
    let digits = 0;
    let clean = true;
    for (; at < end; at += 1) {
      const byte = bytes[at]!;
      if (byte === CR) {
        if (at + 1 >= end) return 0;
        if (bytes[at + 1] !== LF) throw new ProtocolError(INVALID_CRLF);
        const isPadded = bytes[first] === ZERO && (digits > 1 || negative);
        this.#isNumber = clean && !isPadded && digits > 0 && digits <= LENGTH_DIGITS && value < 2 ** 63;
        this.#value = negative ? -value : value;
        return at + 2;
      }
      if (isDigit(byte)) value = value * 10 + byte - 48;
      else clean = false;
      digits += 1;
      if (digits > LINE_BYTES) throw new ProtocolError(tooLong);
    }
    return 0;
  }

  #scanInline(bytes: Buffer, base: number, end: number): number {
    const found = bytes.indexOf(LF, base);
    const newline = found >= end ? -1 : found;
    if (newline < 0 ? end - base > LINE_BYTES : newline - base > LINE_BYTES) {
      throw new ProtocolError('too big inline request');
    }
    if (newline < 0) return this.#more(end + 1, base);
    const lineEnd = newline > base && bytes[newline - 1] === CR ? newline - 1 : newline;
    const args = splitInline(bytes.subarray(base, lineEnd));
    if (args === null) throw new ProtocolError('unbalanced quotes in request');
    this.argc = args.length;
    if (args.length === 0) return newline + 1;
    const frame = encodeCommand(args);
    this.scan(frame, 0, frame.length, ENGINE_LIMITS);
    this.inline = frame;
    return newline + 1;
  }

  #grow(length: number): void {
    const size = Math.max(length, this.starts.length * 2);
    const starts = new Int32Array(size);
    const lengths = new Int32Array(size);
    starts.set(this.starts);
    lengths.set(this.lengths);
    this.starts = starts;
    this.lengths = lengths;
  }
}

const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57;
