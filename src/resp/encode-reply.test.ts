import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Decoder } from './decode.ts';
import { type Answer, Double, encodeReply, NULL_ARRAY, Status, Verbatim } from './encode-reply.ts';
import { Push, type Reply, ReplyError } from './reply.ts';

const VECTORS: [name: string, answer: Answer, resp2: string, resp3: string][] = [
  ['a simple string', new Status('OK'), '+OK\r\n', '+OK\r\n'],
  ['an error', new ReplyError('ERR no'), '-ERR no\r\n', '-ERR no\r\n'],
  ['text', 'grün', '$5\r\ngrün\r\n', '$5\r\ngrün\r\n'],
  ['bytes', Buffer.from('\r\n'), '$2\r\n\r\n\r\n', '$2\r\n\r\n\r\n'],
  ['an integer', -7, ':-7\r\n', ':-7\r\n'],
  ['a big integer', 2n ** 62n, ':4611686018427387904\r\n', ':4611686018427387904\r\n'],
  ['a double', new Double('1.5'), '$3\r\n1.5\r\n', ',1.5\r\n'],
  ['a number that is none', 0.25, '$4\r\n0.25\r\n', ',0.25\r\n'],
  ['a boolean', true, ':1\r\n', '#t\r\n'],
  ['null', null, '$-1\r\n', '_\r\n'],
  ['a null array', NULL_ARRAY, '*-1\r\n', '_\r\n'],
  ['verbatim text', new Verbatim('a b'), '$3\r\na b\r\n', '=7\r\ntxt:a b\r\n'],
  ['an array', [1, 'a', []], '*3\r\n:1\r\n$1\r\na\r\n*0\r\n', '*3\r\n:1\r\n$1\r\na\r\n*0\r\n'],
  ['a map', new Map<Answer, Answer>([['a', 1]]), '*2\r\n$1\r\na\r\n:1\r\n', '%1\r\n$1\r\na\r\n:1\r\n'],
  ['a set', new Set<Reply>([1]), '*1\r\n:1\r\n', '~1\r\n:1\r\n'],
  ['a push', new Push(['a']), '*1\r\n$1\r\na\r\n', '>1\r\n$1\r\na\r\n'],
  ['an error in lines', new ReplyError('ERR a\r\n+OK\nb'), '-ERR a  +OK b\r\n', '-ERR a  +OK b\r\n'],
  ['a simple string in lines', new Status('a\r\n+b'), '+a  +b\r\n', '+a  +b\r\n'],
];

describe('replies as a server writes them', () => {
  for (const [name, answer, resp2, resp3] of VECTORS) {
    it(name, () => {
      assert.equal(encodeReply(answer, 2).toString(), resp2);
      assert.equal(encodeReply(answer, 3).toString(), resp3);
    });
  }

  it('is what the decoder reads', () => {
    const scalar: fc.Arbitrary<Reply> = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string());
    const { reply } = fc.letrec<{ reply: Reply }>((tie) => ({
      reply: fc.oneof(
        { depthSize: 'small' },
        scalar,
        fc.string().map((text) => new ReplyError(text.replace(/[\r\n]/g, '')) as Reply),
        fc.array(tie('reply'), { maxLength: 4 }),
        fc.array(fc.tuple(fc.string(), tie('reply')), { maxLength: 3 }).map((pairs): Reply => new Map(pairs)),
      ),
    }));
    fc.assert(
      fc.property(reply, (one) => {
        const decoder = new Decoder();
        decoder.push(encodeReply(one, 3));
        assert.deepEqual(decoder.next(), one);
        assert.equal(decoder.next(), undefined);
      }),
    );
  });
});
