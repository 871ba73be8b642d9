import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Decoder } from './decode.ts';
import { type CommandArgument, encodeCommand } from './encode.ts';

describe('encodeCommand', () => {
  const vectors: [CommandArgument[], string][] = [
    [['PING'], '*1\r\n$4\r\nPING\r\n'],
    [['SET', '', 'a b\r\n'], '*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na b\r\n\r\n'],
    [['GET', 'grüße'], '*2\r\n$3\r\nGET\r\n$7\r\ngrüße\r\n'],
    [['EXPIRE', 'k', 10, -1, 0.5], '*5\r\n$6\r\nEXPIRE\r\n$1\r\nk\r\n$2\r\n10\r\n$2\r\n-1\r\n$3\r\n0.5\r\n'],
  ];
  for (const [args, expected] of vectors) {
    it(JSON.stringify(args), () => assert.equal(encodeCommand(args).toString('utf8'), expected));
  }

  it('sends bytes as they are', () => {
    const bytes = Buffer.from([0, 13, 10, 255]);
    assert.deepEqual(encodeCommand(['X', bytes]).subarray(-6, -2), bytes);
  });

  it('refuses what the engine could not answer', () => {
    assert.throws(() => encodeCommand([]), RangeError);
    assert.throws(() => encodeCommand(['SET', 'k', Number.NaN]), RangeError);
  });

  it('is read back as it was given, whatever the arguments', () => {
    const bytes = fc.uint8Array().map((array) => Buffer.from(array));
    const argument = fc.oneof(fc.string({ unit: 'grapheme' }), bytes, fc.integer());
    fc.assert(
      fc.property(fc.array(argument, { minLength: 1 }), (args) => {
        const decoder = new Decoder({ binary: true });
        decoder.push(encodeCommand(args));
        const asBytes = args.map((value) => (Buffer.isBuffer(value) ? value : Buffer.from(String(value))));
        assert.deepEqual(decoder.next(), asBytes);
        assert.equal(decoder.next(), undefined);
      }),
    );
  });
});
