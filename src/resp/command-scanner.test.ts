import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CommandScanner, ENGINE_LIMITS, type ScanLimits, STRANGER_LIMITS } from './command-scanner.ts';
import { encodeCommand } from './encode.ts';
import { splitInline } from './inline.ts';
import { ProtocolError } from './reply.ts';

/** Commands in order, then the text of the error that ended it, if one did. */
interface Outcome {
  commands: string[][];
  error: string | null;
  /** Bytes behind the last command. */
  rest: number;
}

/** As a client does: bytes are gathered, whole commands are used up; other bytes lie around them. */
function scanAll(chunks: readonly Buffer[], limits: ScanLimits = ENGINE_LIMITS): Outcome {
  const scanner = new CommandScanner();
  const commands: string[][] = [];
  let pending = Buffer.alloc(0);
  for (const chunk of chunks) {
    pending = Buffer.concat([pending, chunk]);
    const room = Buffer.concat([Buffer.from('*3\r\n'), pending, Buffer.from('\r\n$1\r\n\n')]);
    const end = 4 + pending.length;
    let at = 4;
    try {
      while (at < end) {
        const next = scanner.scan(room, at, end, limits);
        if (next === 0) {
          assert.ok(scanner.neededBytes > end - at, 'it needs more than there is');
          break;
        }
        if (scanner.argc > 0) commands.push(argumentsOf(scanner, room, at));
        at = next;
      }
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
      return { commands, error: error.message, rest: 0 };
    }
    pending = pending.subarray(at - 4);
  }
  return { commands, error: null, rest: pending.length };
}

function argumentsOf(scanner: CommandScanner, bytes: Buffer, base: number): string[] {
  const [source, from] = scanner.inline ? [scanner.inline, 0] : [bytes, base];
  return Array.from({ length: scanner.argc }, (_, index) => {
    const start = from + scanner.starts[index]!;
    return source.toString('latin1', start, start + scanner.lengths[index]!);
  });
}

/** Whole, byte by byte, and in two pieces split at every point. */
const waysToFeed = (bytes: Buffer): Buffer[][] => [
  [bytes],
  Array.from(bytes, (byte) => Buffer.from([byte])),
  ...Array.from({ length: bytes.length + 1 }, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)]),
];

/** A simple decoder of whole commands, written from the engine's source. */
function reference(bytes: Buffer): Outcome {
  const commands: string[][] = [];
  const text = bytes.toString('latin1');
  let at = 0;
  const ends = (error: string | null, from: number): Outcome => ({
    commands,
    error,
    rest: error === null ? text.length - from : 0,
  });
  while (at < text.length) {
    const base = at;
    if (text[at] !== '*') {
      const newline = text.indexOf('\n', at);
      if (newline < 0) return ends(null, base);
      const words = splitInline(bytes.subarray(at, text[newline - 1] === '\r' && newline > at ? newline - 1 : newline));
      if (words === null) return ends('unbalanced quotes in request', base);
      if (words.length > 0) commands.push(words.map((word) => word.toString('latin1')));
      at = newline + 1;
      continue;
    }
    const line = (): string | null => {
      const cr = text.indexOf('\r', at + 1);
      if (cr < 0 || cr + 1 >= text.length) return null;
      if (text[cr + 1] !== '\n') throw new ProtocolError('invalid CRLF in request');
      const found = text.slice(at + 1, cr);
      at = cr + 2;
      return found;
    };
    const isNumber = (one: string): boolean => /^(0|-?[1-9]\d{0,17})$/.test(one);
    try {
      const count = line();
      if (count === null) return ends(null, base);
      if (!isNumber(count) || Number(count) > 2 ** 31 - 1) return ends('invalid multibulk length', base);
      const args: string[] = [];
      for (let index = 0; index < Number(count); index += 1) {
        if (at >= text.length) return ends(null, base);
        if (text[at] !== '$') return ends(`expected '$', got '${text[at]}'`, base);
        const length = line();
        if (length === null) return ends(null, base);
        if (!isNumber(length) || Number(length) < 0 || Number(length) > 2 ** 29) {
          return ends('invalid bulk length', base);
        }
        const end = at + Number(length);
        if (end + 2 > text.length) return ends(null, base);
        if (text.slice(end, end + 2) !== '\r\n') return ends('invalid CRLF in request', base);
        args.push(text.slice(at, end));
        at = end + 2;
      }
      if (args.length > 0) commands.push(args);
    } catch (error) {
      return ends((error as Error).message, base);
    }
  }
  return ends(null, at);
}

const VECTORS: [name: string, text: string, commands: string[][], error?: string][] = [
  ['a command', '*2\r\n$3\r\nGET\r\n$5\r\nhello\r\n', [['GET', 'hello']]],
  ['pipelined', '*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n', [['PING'], ['ECHO', '']]],
  [
    'lengths of one, two and three digits',
    `*3\r\n$1\r\na\r\n$10\r\n0123456789\r\n$100\r\n${'x'.repeat(100)}\r\n`,
    [['a', '0123456789', 'x'.repeat(100)]],
  ],
  ['line ends within an argument', '*1\r\n$8\r\n\r\n*1\r\n$4\r\n', [['\r\n*1\r\n$4']], undefined],
  ['no arguments', '*0\r\n*-1\r\n*-2147483648\r\nPING\r\n', [['PING']]],
  ['more arguments than there was room for', `*40\r\n${'$1\r\nx\r\n'.repeat(40)}`, [Array(40).fill('x')]],
  ['inline', 'PING\r\nSET a  "b c"\n\r\n  \nGET a\r\n', [['PING'], ['SET', 'a', 'b c'], ['GET', 'a']]],
  ['inline between others', '*1\r\n$1\r\na\r\nb c\r\n*1\r\n$1\r\nd\r\n', [['a'], ['b', 'c'], ['d']]],
  ['a count that is none', '*x\r\n', [], 'invalid multibulk length'],
  ['an empty count', '*\r\n', [], 'invalid multibulk length'],
  ['a count with a sign', '*+1\r\n', [], 'invalid multibulk length'],
  ['a count with a leading zero', '*01\r\n$1\r\na\r\n', [], 'invalid multibulk length'],
  ['minus zero', '*-0\r\n', [], 'invalid multibulk length'],
  ['a count beyond all', '*2147483648\r\n', [], 'invalid multibulk length'],
  ['a count of 40 digits', `*${'9'.repeat(40)}\r\n`, [], 'invalid multibulk length'],
  ['a count that ends in CR and no LF', '*1\rx$1\r\na\r\n', [], 'invalid CRLF in request'],
  ['something else than a string', '*2\r\n$1\r\na\r\n:1\r\n', [], "expected '$', got ':'"],
  ['a length that is none', '*1\r\n$a\r\n', [], 'invalid bulk length'],
  ['a negative length', '*1\r\n$-1\r\n', [], 'invalid bulk length'],
  ['a length with a leading zero', '*1\r\n$01\r\na\r\n', [], 'invalid bulk length'],
  ['a length of two zeros', '*1\r\n$00\r\n\r\n', [], 'invalid bulk length'],
  ['a length of more than 512 MiB', '*1\r\n$536870913\r\n', [], 'invalid bulk length'],
  ['a length that ends in CR and no LF', '*1\r\n$1\rxa\r\n', [], 'invalid CRLF in request'],
  ['a length of two digits that does', `*1\r\n$10\rx0123456789\r\n`, [], 'invalid CRLF in request'],
  ['an argument that is longer than it says', '*1\r\n$1\r\nabc\r\n', [], 'invalid CRLF in request'],
  ['an argument that ends in CR and no LF', '*1\r\n$1\r\na\r\r\n', [], 'invalid CRLF in request'],
  ['an argument that ends in LF alone', '*1\r\n$1\r\na\n\r\n', [], 'invalid CRLF in request'],
  ['what came before an error', 'PING\r\n*1\r\n$-1\r\n', [['PING']], 'invalid bulk length'],
  ['open quotes', 'GET "a\r\n', [], 'unbalanced quotes in request'],
];

describe('commands in bytes', () => {
  for (const [name, text, commands, error = null] of VECTORS) {
    it(name, () => {
      const bytes = Buffer.from(text, 'latin1');
      for (const chunks of waysToFeed(bytes)) {
        const outcome = scanAll(chunks);
        assert.deepEqual([outcome.commands, outcome.error], [commands, error]);
      }
      assert.deepEqual(reference(bytes), { commands, error, rest: 0 });
    });
  }

  it('needs as many bytes as the command begun will have at least', () => {
    const scanner = new CommandScanner();
    const text = Buffer.from('*3\r\n$3\r\nSET\r\n$1000\r\nabc');
    assert.equal(scanner.scan(text, 0, text.length, ENGINE_LIMITS), 0);
    assert.equal(scanner.neededBytes, '*3\r\n$3\r\nSET\r\n$1000\r\n'.length + 1002 + 6);
  });

  it('takes lines up to 64 KiB', () => {
    const long = Buffer.from(`ECHO ${'x'.repeat(64 * 1024 - 5)}`);
    const ended = Buffer.concat([long, Buffer.from('\n')]);
    assert.equal(scanAll([ended]).commands[0]![1]!.length, 64 * 1024 - 5);
    const longer = Buffer.concat([Buffer.from('x'), ended]);
    for (const chunks of [[longer], [long, Buffer.from('xx'), Buffer.from('\n')]]) {
      assert.equal(scanAll(chunks).error, 'too big inline request');
    }
    const digits = '1'.repeat(64 * 1024 + 1);
    assert.equal(scanAll([Buffer.from(`*${digits}`)]).error, 'too big mbulk count string');
    assert.equal(scanAll([Buffer.from('*1\r\n'), Buffer.from(`$${digits}`)]).error, 'too big bulk count string');
  });

  it('has narrow limits for strangers, and tells them apart', () => {
    const stranger = (text: string): string | null => scanAll([Buffer.from(text)], STRANGER_LIMITS).error;
    assert.equal(stranger('*11\r\n'), 'unauthenticated multibulk length');
    assert.equal(stranger('*3000000000\r\n'), 'invalid multibulk length');
    assert.equal(stranger('*1\r\n$16385\r\n'), 'unauthenticated bulk length');
    assert.equal(stranger('*1\r\n$-5\r\n'), 'invalid bulk length');
    assert.equal(stranger(`*10\r\n${'$1\r\nx\r\n'.repeat(10)}*1\r\n$16384\r\n`), null);
  });

  it('finds any commands however they are split', () => {
    const command = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 8 }), fc.array(fc.nat(2_000)), (commands, cuts) => {
        const bytes = Buffer.concat(commands.map((args) => encodeCommand(args.map((arg) => Buffer.from(arg)))));
        const expected = commands.map((args) => args.map((arg) => Buffer.from(arg).toString('latin1')));
        const outcome = scanAll(split(bytes, cuts));
        assert.deepEqual(outcome, { commands: expected, error: null, rest: 0 });
      }),
    );
  });

  it('agrees with a simple decoder about bytes of any kind, whole and split', () => {
    const piece = fc.oneof(
      fc.constantFrom('*', '$', '\r\n', '\r', '\n', '0', '1', '2', '3', '12', '-', ' ', '"', "'", '\\', 'a', 'PING'),
      fc.constantFrom('*1\r\n', '*2\r\n', '$1\r\n', '$3\r\nGET\r\n', '$1\r\na\r\n', '*1\r\n$4\r\nPING\r\n', '$10\r\n'),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), fc.array(fc.nat(100)), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(''), 'latin1');
        const expected = reference(bytes);
        // An error may be seen before the line that holds it is whole: what is left does not matter then.
        for (const chunks of [[bytes], split(bytes, cuts), Array.from(bytes, (byte) => Buffer.from([byte]))]) {
          const outcome = scanAll(chunks);
          assert.deepEqual(outcome.commands, expected.commands);
          if (expected.error !== null) assert.equal(outcome.error, expected.error);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

/** In pieces that end at these places, taken modulo the length. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
