/** Whatever happens to the bytes of a part, it is never taken for whole. */
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { constants, createZstdCompress } from 'node:zlib';
import {
  chunksOf,
  collect,
  FORMS,
  KEY,
  readBack,
  vouchedFor,
  type Written,
  written,
} from '../../test/support/backup-parts.ts';
import { valkeeperError } from '../../test/support/errors.ts';
import { FRAME_BYTES, TAG_BYTES } from './frames.ts';
import { headBytes } from './part.ts';
import { readPart } from './part-reader.ts';

const OTHER_KEY = Buffer.from(KEY).reverse();

const damaged = (problem = /./) =>
  valkeeperError('backup_damaged', new RegExp(`part shard-1.part .*${problem.source}`));

/** It is refused as damaged, and what came before is not all that was written. */
async function refused({ stored, part }: Written, key: Buffer | null, problem?: RegExp): Promise<void> {
  let bytes = 0;
  await assert.rejects(async () => {
    for await (const chunk of readPart(chunksOf(stored), part, key)) bytes += chunk.length;
  }, damaged(problem));
  assert.ok(part.rawBytes === 0 || bytes < part.rawBytes);
}

function flipped(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1 << bit;
  return copy;
}

for (const { name, options } of FORMS) {
  describe(`a part ${name}`, () => {
    const raw = Buffer.concat([randomBytes(150), Buffer.alloc(150, 'abc')]);

    it('is refused with any bit of its header flipped', async () => {
      const { stored, part } = await written(raw, options);
      for (let at = 0; at < headBytes(part); at += 1) {
        for (let bit = 0; bit < 8; bit += 1) await refused({ stored: flipped(stored, at, bit), part }, options.key);
      }
    });

    it('is refused with any byte changed by one bit', async () => {
      const { stored, part } = await written(raw, options);
      for (let at = 0; at < stored.length; at += 1) {
        await refused({ stored: flipped(stored, at, randomInt(8)), part }, options.key);
      }
    });

    it('is refused cut anywhere', async () => {
      const { stored, part } = await written(raw, options);
      for (let length = 0; length < stored.length; length += 1) {
        await refused({ stored: stored.subarray(0, length), part }, options.key, /shorter: \d+ of \d+ bytes/);
      }
    });

    it('is refused with anything behind it', async () => {
      const { stored, part } = await written(raw, options);
      for (const more of [Buffer.alloc(1), stored, randomBytes(100_000)]) {
        await refused({ stored: Buffer.concat([stored, more]), part }, options.key, /longer/);
      }
    });

    it('is refused in the place of another shard’s', async () => {
      const [one, two] = [await written(raw, options), await written(Buffer.from(raw).reverse(), options)];
      await refused({ stored: one.stored, part: two.part }, options.key);
      await refused({ stored: two.stored, part: one.part }, options.key);
    });

    it('is refused when the manifest says otherwise of what was written', async () => {
      const { stored, part } = await written(raw, options);
      await refused({ stored, part: { ...part, rawBytes: 299 } }, options.key, /more than the 299/);
      await refused({ stored, part: { ...part, rawBytes: 301 } }, options.key, /300 of the 301/);
      await refused({ stored, part: { ...part, rawSha256: '0'.repeat(64) } }, options.key, /SHA-256/);
      const other = options.compression === 'zstd' ? 'none' : 'zstd';
      await refused({ stored, part: { ...part, compression: other } }, options.key, /otherwise/);
    });
  });
}

describe('the frames of an encrypted part', () => {
  const SEALED = FRAME_BYTES + TAG_BYTES;
  const raw = randomBytes(3 * FRAME_BYTES + 1000);

  /** The part with its frames dealt anew, and a manifest that vouches for that. */
  async function dealt(deal: (frames: Buffer[], head: Buffer) => Buffer[]): Promise<Written> {
    const { stored, part } = await written(raw, { compression: 'none', key: KEY });
    const head = stored.subarray(0, headBytes(part));
    const frames = [0, 1, 2, 3].map((index) =>
      stored
        .subarray(head.length)
        .subarray(index * SEALED)
        .subarray(0, SEALED),
    );
    const made = Buffer.concat([head, ...deal(frames, head)]);
    return vouchedFor(made, { ...part, rawBytes: raw.length * 2 });
  }

  const DEALS: [name: string, deal: (frames: Buffer[]) => Buffer[], problem: RegExp][] = [
    ['swapped', ([a, b, c, d]) => [a!, c!, b!, d!], /frame 2 is not/],
    ['repeated', ([a, b, c, d]) => [a!, a!, b!, c!, d!], /frame 2 is not/],
    ['repeated at the end', ([a, b, c, d]) => [a!, b!, c!, d!, d!], /frame 4 is not/],
    ['left out at the beginning', ([, b, c, d]) => [b!, c!, d!], /frame 1 is not/],
    ['left out in the middle', ([a, b, , d]) => [a!, b!, d!], /frame 3 is not/],
    ['left out at the end', ([a, b, c]) => [a!, b!, c!], /frame 3 is not/],
    ['all left out', () => [], /frame 1 is cut off/],
    ['cut within the last tag', ([a, b, c]) => [a!, b!, c!, Buffer.alloc(TAG_BYTES - 1)], /frame 4 is cut off/],
    ['followed by an empty one', ([a, b, c]) => [a!, b!, c!, Buffer.alloc(TAG_BYTES)], /frame 4 is cut off/],
  ];
  for (const [name, deal, problem] of DEALS) {
    it(`do not open ${name}, even if the manifest has the same checksum`, async () => {
      await refused(await dealt(deal), KEY, problem);
    });
  }

  it('do not open in another part with the same key', async () => {
    const { stored } = await written(raw, { compression: 'none', key: KEY });
    const other = await dealt(([a, b, c, d]) => [a!, b!, c!, d!]);
    const size = headBytes(other.part);
    const mixed = Buffer.concat([stored.subarray(0, size), other.stored.subarray(size)]);
    await refused(vouchedFor(mixed, other.part), KEY, /frame 1 is not/);
  });

  it('do not open with any byte changed, even if the manifest has the same checksum', async () => {
    const { stored, part } = await written(randomBytes(100), { compression: 'zstd', key: KEY });
    for (let at = headBytes(part); at < stored.length; at += 1) {
      await refused(vouchedFor(flipped(stored, at, randomInt(8)), part), KEY, /frame 1 is not/);
    }
  });
});

it('a compressed part that was changed is refused even if the manifest has the same checksum', async () => {
  const raw = Buffer.alloc(500, 'a b c d ');
  const { stored, part } = await written(raw, { compression: 'zstd', key: null });
  for (let at = 0; at < stored.length; at += 1) {
    const changed = vouchedFor(flipped(stored, at, randomInt(8)), part);
    const read = await readBack(changed, null).catch(valkeeperError('backup_damaged'));
    // A bit that the decompressor does not look at changes nothing of what was written.
    assert.ok(read === true || (read instanceof Buffer && read.equals(raw)), `byte ${at}`);
  }
});

it('few bytes that decompress to very many are given up early', async () => {
  const { stored, part } = await written(Buffer.alloc(20_000_000), { compression: 'zstd', key: null }, [65_536]);
  let bytes = 0;
  await assert.rejects(
    async () => {
      const claimed = { ...part, rawBytes: 1000 };
      for await (const chunk of readPart(chunksOf(stored), claimed, null)) bytes += chunk.length;
    },
    damaged(/more than the 1000/),
  );
  assert.equal(bytes, 0);
});

it('a part that would take more memory to decompress than any that is written is refused', async () => {
  const raw = randomBytes(1000);
  const { stored, part } = await written(raw, { compression: 'zstd', key: null });
  const params = { [constants.ZSTD_c_windowLog]: 24 };
  const wide = await collect(Readable.from(chunksOf(raw)).pipe(createZstdCompress({ params })));
  const made = Buffer.concat([stored.subarray(0, headBytes(part)), wide]);
  await refused(vouchedFor(made, part), null, /cannot be decompressed/);
});

describe('the key', () => {
  it('is missed before anything is read', async () => {
    const { part } = await written(Buffer.from('abc'), { compression: 'zstd', key: KEY });
    const source = (): never => assert.fail('it was read');
    const reading = readPart({ [Symbol.asyncIterator]: source }, part, null);
    await assert.rejects(reading.next(), valkeeperError('backup_key_missing'));
  });

  it('is told to be wrong', async () => {
    const whole = await written(Buffer.from('abc'), { compression: 'zstd', key: KEY });
    await assert.rejects(
      readBack(whole, OTHER_KEY),
      valkeeperError('backup_key_wrong', /The key [0-9a-f]{8} does not open .* the key [0-9a-f]{8}\./),
    );
  });

  it('opens nothing when it is not as long as a key', async () => {
    await assert.rejects(written(Buffer.from('abc'), { compression: 'none', key: KEY.subarray(1) }), RangeError);
  });
});
