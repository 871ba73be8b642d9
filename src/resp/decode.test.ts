import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type DecodeOptions, Decoder } from './decode.ts';
import { ProtocolError, Push, type Reply, ReplyError } from './reply.ts';

const take = (decoder: Decoder): Reply[] => {
  const replies: Reply[] = [];
  for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) replies.push(reply);
  return replies;
};

/** All replies of the chunks; each chunk is overwritten once pushed, since the decoder may not keep it. */
const decode = (chunks: readonly Buffer[], options?: Partial<DecodeOptions>): Reply[] => {
  const decoder = new Decoder(options);
  const replies: Reply[] = [];
  for (const chunk of chunks) {
    const own = Buffer.from(chunk);
    decoder.push(own);
    own.fill('#');
    replies.push(...take(decoder));
  }
  return replies;
};

/** Every way a vector is fed: whole, byte by byte, and in two pieces split at every point. */
const waysToFeed = (bytes: Buffer): Buffer[][] => [
  [bytes],
  [...bytes].map((byte) => Buffer.from([byte])),
  ...Array.from({ length: bytes.length + 1 }, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)]),
];

const VECTORS: [name: string, text: string, expected: Reply[]][] = [
  ['simple string', '+OK\r\n', ['OK']],
  ['empty simple string', '+\r\n', ['']],
  ['error', '-ERR unknown command\r\n', [new ReplyError('ERR unknown command')]],
  ['error of one word', '-LOADING\r\n', [new ReplyError('LOADING')]],
  ['integers', ':0\r\n:-1\r\n:+7\r\n:9007199254740991\r\n', [0, -1, 7, 9007199254740991]],
  ['minus zero', ':-0\r\n', [0]],
  ['integers a number does not hold', ':9007199254740993\r\n:-9223372036854775808\r\n', [2n ** 53n + 1n, -(2n ** 63n)]],
  ['bulk string', '$5\r\nhello\r\n', ['hello']],
  ['empty bulk string', '$0\r\n\r\n', ['']],
  ['bulk string of line ends', '$4\r\n\r\n\r\n\r\n', ['\r\n\r\n']],
  ['bulk string beyond ASCII', '$9\r\ngrüße 🌍\r\n'.replace('$9', `$${Buffer.byteLength('grüße 🌍')}`), ['grüße 🌍']],
  ['nulls', '$-1\r\n*-1\r\n_\r\n', [null, null, null]],
  ['array', '*3\r\n:1\r\n$1\r\na\r\n$-1\r\n', [[1, 'a', null]]],
  ['empty aggregates', '*0\r\n~0\r\n%0\r\n', [[], new Set(), new Map()]],
  [
    'nested',
    '*2\r\n*2\r\n:1\r\n*0\r\n%1\r\n+k\r\n~2\r\n+a\r\n*1\r\n_\r\n',
    [[[1, []], new Map([['k', new Set(['a', [null]])]])]],
  ],
  ['error inside of an array', '*2\r\n-MOVED 1 h:1\r\n:2\r\n', [[new ReplyError('MOVED 1 h:1'), 2]]],
  [
    'map',
    '%2\r\n+a\r\n:1\r\n:2\r\n#f\r\n',
    [
      new Map<Reply, Reply>([
        ['a', 1],
        [2, false],
      ]),
    ],
  ],
  ['set', '~2\r\n#t\r\n+x\r\n', [new Set<Reply>([true, 'x'])]],
  ['doubles', ',1.5\r\n,-2\r\n,1e-7\r\n,3.\r\n', [1.5, -2, 1e-7, 3]],
  ['doubles that are no numbers', ',inf\r\n,-inf\r\n,nan\r\n', [Infinity, -Infinity, Number.NaN]],
  ['big number', '(3492890328409238509324850943850943825024385\r\n', [3492890328409238509324850943850943825024385n]],
  ['verbatim string', '=8\r\ntxt:a\r\nb\r\n', ['a\r\nb']],
  ['bulk error', '!10\r\nERR a\r\nb c\r\n', [new ReplyError('ERR a\r\nb c')]],
  ['push between replies', '+a\r\n>2\r\n+message\r\n:1\r\n+b\r\n', ['a', new Push(['message', 1]), 'b']],
  ['attributes before a reply', '|1\r\n+ttl\r\n*1\r\n:3\r\n+v\r\n', ['v']],
  ['attributes inside of an array', '*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n|0\r\n:2\r\n', [[1, 2]]],
  ['pipelined', '+OK\r\n:1\r\n$1\r\nx\r\n*1\r\n+y\r\n-NO\r\n', ['OK', 1, 'x', ['y'], new ReplyError('NO')]],
];

describe('replies', () => {
  for (const [name, text, expected] of VECTORS) {
    it(name, () => {
      for (const chunks of waysToFeed(Buffer.from(text))) assert.deepEqual(decode(chunks), expected);
    });
  }

  it('an error is known by its first word and keeps its text', () => {
    const [error] = decode([Buffer.from('-WRONGPASS invalid pair\r\n')]) as ReplyError[];
    assert.equal(error!.code, 'WRONGPASS');
    assert.equal(error!.message, 'WRONGPASS invalid pair');
  });

  it('strings are bytes of their own where asked for', () => {
    const text = '*3\r\n$2\r\n\xff\x00\r\n=5\r\ntxt:a\r\n+OK\r\n';
    const expected = [[Buffer.from([255, 0]), Buffer.from('a'), 'OK']];
    for (const chunks of waysToFeed(Buffer.from(text, 'latin1'))) {
      assert.deepEqual(decode(chunks, { binary: true }), expected);
    }
  });
});

describe('what is not RESP', () => {
  const malformed: [string, string, Partial<DecodeOptions>?][] = [
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n'],
    ['an empty line', '\r\n'],
    ['a line without CR', '+OK\n'],
    ['CR within a line', '+a\rb\r\n'],
    ['an integer of letters', ':12a\r\n'],
    ['an empty integer', ':\r\n'],
    ['an integer beyond 64 bits', ':9223372036854775808\r\n'],
    ['a length of letters', '$x\r\n'],
    ['a negative length', '$-2\r\n'],
    ['a null set', '~-1\r\n'],
    ['a null attribute', '|-1\r\n'],
    ['a streamed string', '$?\r\n'],
    ['a string longer than it said', '$1\r\nabc\r\n'],
    ['a boolean of another letter', '#x\r\n'],
    ['a null with text', '_x\r\n'],
    ['a double of words', ',one\r\n'],
    ['a big number with a fraction', '(1.5\r\n'],
    ['a verbatim string without a format', '=3\r\nabc\r\n'],
    ['a push inside of an array', '*1\r\n>1\r\n+a\r\n'],
    ['too deep', '*1\r\n*1\r\n*1\r\n:1\r\n', { depth: 2 }],
    ['too deep by an empty array', '*1\r\n*0\r\n', { depth: 1 }],
    ['too long a string', '$4\r\n', { stringBytes: 3 }],
    ['too many elements', '*4\r\n', { elements: 3 }],
    ['too many pairs', '%4\r\n', { elements: 3 }],
    ['too long a line', '+12345678\r\n', { lineBytes: 10 }],
    ['a line that never ends', '+123456789', { lineBytes: 9 }],
    ['beyond the default limits', '$536870913\r\n'],
  ];
  for (const [name, text, options] of malformed) {
    it(name, () => {
      for (const chunks of waysToFeed(Buffer.from(`+before\r\n${text}`))) {
        const decoder = new Decoder(options);
        for (const chunk of chunks) decoder.push(chunk);
        assert.equal(decoder.next(), 'before');
        assert.throws(() => decoder.next(), ProtocolError);
        decoder.push(Buffer.from('+after\r\n'));
        assert.throws(() => decoder.next(), ProtocolError, 'it stays poisoned');
      }
    });
  }

  it('accepts what lies exactly on the limits', () => {
    const limits = { depth: 2, stringBytes: 3, elements: 3, lineBytes: 8 };
    const text = '*3\r\n$3\r\nabc\r\n*0\r\n+12345\r\n';
    assert.deepEqual(decode([Buffer.from(text)], limits), [['abc', [], '12345']]);
  });
});

/** A reply as a server would write it. */
function encodeReply(reply: Reply): Buffer {
  const line = (type: string, rest: unknown): Buffer => Buffer.from(`${type}${rest}\r\n`);
  const string = (type: string, bytes: Buffer): Buffer =>
    Buffer.concat([line(type, bytes.length), bytes, Buffer.from('\r\n')]);
  const aggregate = (type: string, count: number, items: Iterable<Reply>): Buffer =>
    Buffer.concat([line(type, count), ...Array.from(items, encodeReply)]);

  if (reply === null) return line('_', '');
  if (reply instanceof ReplyError) return string('!', Buffer.from(reply.message));
  if (reply instanceof Push) return aggregate('>', reply.items.length, reply.items);
  if (Buffer.isBuffer(reply)) return string('$', reply);
  if (Array.isArray(reply)) return aggregate('*', reply.length, reply);
  if (reply instanceof Set) return aggregate('~', reply.size, reply);
  if (reply instanceof Map) return aggregate('%', reply.size, [...reply].flat() as Reply[]);
  if (typeof reply === 'boolean') return line('#', reply ? 't' : 'f');
  if (typeof reply === 'bigint') return line('(', reply);
  if (typeof reply === 'string') return string('=', Buffer.from(`txt:${reply}`));
  if (Number.isSafeInteger(reply)) return line(':', reply);
  return line(',', Number.isFinite(reply) ? reply : String(reply).replace('Infinity', 'inf'));
}

const scalar: fc.Arbitrary<Reply> = fc.oneof(
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.maxSafeInteger(),
  fc.bigInt(),
  fc.double().map((value) => (Object.is(value, -0) ? 0 : value)),
  fc.boolean(),
  fc.constant(null),
  fc.string({ unit: 'grapheme' }).map((text) => new ReplyError(text)),
);
const anyReply = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('reply'), { maxLength: 5 }),
    fc.array(tie('reply'), { maxLength: 5 }).map((items): Reply => new Set(items)),
    fc.array(fc.tuple(tie('reply'), tie('reply')), { maxLength: 5 }).map((pairs): Reply => new Map(pairs)),
  ),
})).reply;
const anyMessage = fc.oneof(
  anyReply,
  fc.array(anyReply).map((items) => new Push(items)),
);

describe('any replies in any chunks', () => {
  it('are read as they were written', () => {
    const chunkSizes = fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 100 })));
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 4 }), chunkSizes, (replies, sizes) => {
        const bytes = Buffer.concat(replies.map(encodeReply));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = sizes.next().value as number;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        assert.deepEqual(decode(chunks, { binary: true }), replies);
      }),
    );
  });

  it('never throw anything but ProtocolError, whatever the bytes', () => {
    const noise = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc
        .array(fc.constantFrom('\r\n', '1', '2', '-1', ...'+-:$*_#,(=!~>%|xt'))
        .map((parts) => Buffer.from(parts.join(''))),
    );
    fc.assert(
      fc.property(noise, (bytes) => {
        const whole = outcome([bytes]);
        assert.deepEqual(outcome([...bytes].map((byte) => Buffer.from([byte]))), whole);
      }),
      { numRuns: 500 },
    );
  });
});

/** The replies before the fault, and what the fault was. */
function outcome(chunks: readonly Buffer[]): { replies: Reply[]; fault: string | null } {
  const decoder = new Decoder();
  for (const chunk of chunks) decoder.push(chunk);
  const replies: Reply[] = [];
  try {
    for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) replies.push(reply);
    return { replies, fault: null };
  } catch (error) {
    assert.ok(error instanceof ProtocolError);
    return { replies, fault: error.message };
  }
}

describe('time', () => {
  const timeMs = (run: () => void): number => {
    const start = performance.now();
    run();
    return performance.now() - start;
  };
  /** One string of `count` bytes, in chunks of one byte. */
  const byteByByteMs = (count: number): number => {
    const decoder = new Decoder();
    const letter = Buffer.from('x');
    return timeMs(() => {
      decoder.push(Buffer.from(`$${count}\r\n`));
      for (let index = 0; index < count; index += 1) decoder.push(letter);
      decoder.push(Buffer.from('\r\n'));
      assert.equal((decoder.next() as string).length, count);
    });
  };

  it('grows with the bytes, not with their square', () => {
    byteByByteMs(50_000); // compiled by now
    const small = Math.min(...[1, 2, 3].map(() => byteByByteMs(100_000)));
    const large = Math.min(...[1, 2, 3].map(() => byteByByteMs(1_600_000)));
    assert.ok(large < 16 * 4 * small, `16 times the bytes took ${large} ms instead of ${small} ms`);
  });

  it('an announced length costs no memory before its bytes come', () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 100 }, () => new Decoder());
    for (const decoder of decoders) decoder.push(Buffer.from('$536870000\r\nx'));
    assert.ok(process.memoryUsage().arrayBuffers - before < 10 * 1024 ** 2);
    assert.equal(decoders.length, 100);
  });
});
