import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Decoder } from './decode.ts';
import { type Answer, encodeReply, NULL_ARRAY, Status } from './encode-reply.ts';
import { ProtocolError, Push, ReplyError } from './reply.ts';
import { ReplyScanner } from './reply-scanner.ts';

/** The replies in the chunks, by their bytes, then what was wrong. Each chunk is overwritten when it is used up. */
function scanAll(chunks: readonly Buffer[]): { replies: string[]; types: string; error: boolean; isBetween: boolean } {
  const scanner = new ReplyScanner();
  const replies: string[] = [];
  let types = '';
  let part = '';
  try {
    for (const chunk of chunks) {
      const room = Buffer.concat([Buffer.from('$9\r\n'), chunk, Buffer.from('\r\n+x\r\n')]);
      const end = 4 + chunk.length;
      let at = 4;
      while (at < end) {
        const next = scanner.scan(room, at, end);
        part += room.toString('latin1', at, next < 0 ? end : next);
        if (next < 0) break;
        replies.push(part);
        types += String.fromCharCode(scanner.type);
        part = '';
        at = next;
      }
      room.fill('#');
    }
  } catch (error) {
    assert.ok(error instanceof ProtocolError);
    return { replies, types, error: true, isBetween: false };
  }
  assert.equal(scanner.isBetween, part === '');
  return { replies, types, error: false, isBetween: scanner.isBetween };
}

const waysToFeed = (bytes: Buffer): Buffer[][] => [
  [bytes],
  Array.from(bytes, (byte) => Buffer.from([byte])),
  ...Array.from({ length: bytes.length + 1 }, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)]),
];

const VECTORS: [name: string, ...replies: string[]][] = [
  ['lines', '+OK\r\n', '-ERR no\r\n', ':-1\r\n', '_\r\n', '#t\r\n', ',1.5\r\n', '(123\r\n', '+\r\n'],
  ['a carriage return within a line', '+a\rb\r\n'],
  ['strings', '$5\r\nhello\r\n', '$0\r\n\r\n', '$-1\r\n', '=8\r\ntxt:a\r\nb\r\n', '!5\r\nERR a\r\n'],
  ['strings of what looks like replies', '$6\r\n+OK\r\n\n\r\n', '$4\r\n\r\n\r\n\r\n'],
  ['aggregates', '*2\r\n:1\r\n$1\r\na\r\n', '*0\r\n', '*-1\r\n', '%1\r\n+k\r\n+v\r\n', '~1\r\n:1\r\n', '%0\r\n'],
  ['nested', '*2\r\n*2\r\n:1\r\n*0\r\n%1\r\n+k\r\n~2\r\n+a\r\n*1\r\n_\r\n', '+OK\r\n'],
  ['a push', '+a\r\n', '>2\r\n+message\r\n:1\r\n', '+b\r\n'],
  ['attributes', '|1\r\n+ttl\r\n*1\r\n:3\r\n+v\r\n', '*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n|0\r\n:2\r\n'],
  ['as deep as it comes', `${'*1\r\n'.repeat(5_000)}:1\r\n`, ':2\r\n'],
];

const BAD = [
  ...['?\r\n', 'OK\r\n', '\r\n', '*x\r\n', '$\r\n', '$-\r\n', '$-2\r\n', '*-3\r\n', '$1-\r\na\r\n', '$+1\r\na\r\n'],
  ...['$1\nab', '$1\r\r\n', '*1\r:', '$1 \r\na\r\n', '+OK\n', ':1\n', '$2\r\nabcd\r\n', '$99999999999\r\n'],
  ...['*99999999999999999999999\r\n', '*2\r\n:1\r\nx', '$--1\r\n'],
];

describe('replies in bytes', () => {
  for (const [name, ...replies] of VECTORS) {
    it(name, () => {
      const bytes = Buffer.from(replies.join(''), 'latin1');
      const types = replies.map(([type]) => type).join('');
      const ways = bytes.length > 1_000 ? waysToFeed(bytes).slice(0, 2) : waysToFeed(bytes);
      for (const chunks of ways) assert.deepEqual(scanAll(chunks), { replies, types, error: false, isBetween: true });
    });
  }

  for (const text of BAD) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      for (const chunks of waysToFeed(Buffer.from(text))) assert.equal(scanAll(chunks).error, true);
    });
  }

  const scalar: fc.Arbitrary<Answer> = fc.oneof(
    fc.constantFrom<Answer>(null, NULL_ARRAY, true, false, '', new Status('OK'), new ReplyError('ERR no')),
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.string({ maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes): Answer => Buffer.from(bytes)),
  );
  const { answer } = fc.letrec<{ answer: Answer }>((tie) => ({
    answer: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      scalar,
      fc.array(tie('answer'), { maxLength: 5 }),
      fc.array(fc.tuple(fc.string({ maxLength: 5 }), tie('answer')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
      fc.array(scalar, { maxLength: 3 }).map((items) => new Push(items as never) as Answer),
    ),
  }));

  it('finds the end of any reply, however it is split', () => {
    fc.assert(
      fc.property(
        fc.array(answer, { maxLength: 6 }),
        fc.constantFrom(2, 3),
        fc.array(fc.nat(500)),
        (all, resp, cuts) => {
          const replies = all.map((one) => encodeReply(one, resp as 2 | 3).toString('latin1'));
          const bytes = Buffer.from(replies.join(''), 'latin1');
          assert.deepEqual(scanAll(split(bytes, cuts)).replies, replies);
        },
      ),
    );
  });

  it('agrees with the decoder about how many replies there are, and with itself however bytes are split', () => {
    const piece = fc.constantFrom(
      ...['+', '-', ':', '$', '*', '%', '~', '>', '|', '_\r\n', '\r\n', '\r', '\n', '0', '1', '2', '-1', 'a'],
      ...['+OK\r\n', ':1\r\n', '$1\r\na\r\n', '*1\r\n', '*2\r\n', '%1\r\n', '$-1\r\n', '*0\r\n'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.array(fc.nat(60)), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(''));
        const whole = scanAll([bytes]);
        assert.deepEqual(scanAll(split(bytes, cuts)), whole);
        assert.deepEqual(scanAll(Array.from(bytes, (byte) => Buffer.from([byte]))), whole);
        const decoded = decodedCount(bytes);
        if (decoded !== null && !whole.error) assert.equal(whole.replies.length, decoded);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** How many replies the decoder finds; null when it finds something wrong: it looks at values, too. */
function decodedCount(bytes: Buffer): number | null {
  const decoder = new Decoder();
  try {
    decoder.push(bytes);
    let count = 0;
    while (decoder.next() !== undefined) count += 1;
    return count;
  } catch {
    return null;
  }
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
