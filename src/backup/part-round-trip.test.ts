import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FORMS, KEY, readBack, sha256Of, written } from '../../test/support/backup-parts.ts';
import { FRAME_BYTES, TAG_BYTES } from './frames.ts';
import { headBytes } from './part.ts';

/** How much is written, in chunks of which sizes, and in chunks of which it is read: some bytes, or some megabytes. */
const casesOf = (most: number, smallest: number) => {
  const sizes = fc.array(fc.integer({ min: smallest, max: 200_000 }), { minLength: 1, maxLength: 5 });
  return fc.tuple(fc.integer({ min: 0, max: most }), sizes, sizes);
};
const cases = fc.oneof(casesOf(3000, 1), casesOf(3_000_000, 500));

/** Half noise, half not: zstd has something to do, and something that it cannot. */
function contentOf(length: number): Buffer {
  const bytes = Buffer.alloc(length, 'field:value;');
  bytes.set(randomBytes(Math.floor(length / 2)), Math.floor(length / 4));
  return bytes;
}

for (const { name, options } of FORMS) {
  describe(`a part ${name}`, () => {
    it('is read as it was written, however it comes in pieces', async () => {
      await fc.assert(
        fc.asyncProperty(cases, async ([length, writing, reading]) => {
          const raw = contentOf(length);
          const whole = await written(raw, options, writing);
          assert.ok(raw.equals(await readBack(whole, options.key, reading)));
          const { part, stored } = whole;
          assert.deepEqual(
            [part.rawBytes, part.rawSha256, part.storedBytes, part.storedSha256],
            [length, sha256Of(raw), stored.length, sha256Of(stored)],
          );
        }),
        { numRuns: 25 },
      );
    });

    it('is read byte by byte', async () => {
      const raw = contentOf(300);
      assert.ok(raw.equals(await readBack(await written(raw, options, [1]), options.key, [1])));
    });

    it('holds as many bytes as one frame, one more or one less, or none', async () => {
      for (const length of [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES]) {
        const raw = randomBytes(length);
        const whole = await written(raw, options, [40_000]);
        assert.ok(raw.equals(await readBack(whole, options.key)), `${length} bytes`);
        if (options.compression === 'none') {
          const frames = options.key === null ? 0 : Math.max(1, Math.ceil(length / FRAME_BYTES));
          assert.equal(whole.part.storedBytes, headBytes(whole.part) + length + frames * TAG_BYTES);
        }
      }
    });
  });
}

it('reads a part that is not encrypted with a key at hand', async () => {
  const whole = await written(Buffer.from('abc'), { compression: 'none', key: null });
  assert.equal((await readBack(whole, KEY)).toString(), 'abc');
});

it('writes nothing of the content, and never the same, when it encrypts', async () => {
  const raw = Buffer.alloc(1000, 'secret');
  const [one, two] = [
    await written(raw, { compression: 'none', key: KEY }),
    await written(raw, { compression: 'none', key: KEY }),
  ];
  assert.ok(!one.stored.includes('secret'));
  assert.ok(!one.stored.includes(KEY));
  assert.ok(!one.stored.subarray(60).equals(two.stored.subarray(60)));
});
