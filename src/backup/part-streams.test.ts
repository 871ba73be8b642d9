/** Errors, early ends and back-pressure of writing and reading parts. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { collect, FORMS, written } from '../../test/support/backup-parts.ts';
import { valkeeperError } from '../../test/support/errors.ts';
import { readPart } from './part-reader.ts';
import { writePart } from './part-writer.ts';

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(async () => {
  await delay(5);
  process.off('unhandledRejection', note);
  assert.deepEqual(unhandled.splice(0), []);
});

const CHUNK = randomBytes(100_000);

/** Chunks without end, or an error after so many; says how many were taken, and whether it was told to stop. */
function endless(failure?: { after: number; error: Error }, chunk = () => CHUNK) {
  const seen = { taken: 0, stopped: false };
  const chunks = async function* () {
    try {
      for (;;) {
        if (seen.taken === failure?.after) throw failure.error;
        seen.taken += 1;
        yield chunk();
      }
    } finally {
      seen.stopped = true;
    }
  };
  return { seen, chunks: chunks() };
}

for (const { name, options } of FORMS) {
  describe(`writing a part ${name}`, () => {
    for (const after of [0, 1, 20]) {
      it(`ends with the error of its source after ${after} chunks`, async () => {
        const error = new Error('the node went away');
        const { content, facts } = writePart(endless({ after, error }).chunks, options);
        await assert.rejects(collect(content), error);
        await assert.rejects(facts, error);
      });
    }

    it('stops its source when nobody wants the rest, with nobody looking at its facts', async () => {
      const { seen, chunks } = endless();
      const { content, facts } = writePart(chunks, options);
      for await (const chunk of content) if (chunk.length > 1000) break;
      await assert.rejects(facts, valkeeperError('backup_part_unfinished'));
      await delay(20);
      assert.ok(seen.stopped);
    });

    it('reads no faster than it is read', async () => {
      const { seen, chunks } = endless(undefined, () => randomBytes(CHUNK.length));
      const { content } = writePart(chunks, options);
      const reading = content[Symbol.asyncIterator]();
      for (let count = 0; count < 3; count += 1) await reading.next();
      await delay(20);
      assert.ok(seen.taken <= 10, `${seen.taken} chunks were taken for three`);
      await reading.return?.();
    });

    it('gives up a source that has more than was granted', async () => {
      const { content, facts } = writePart(endless().chunks, { ...options, mostRawBytes: 1_000_000 });
      await assert.rejects(collect(content), valkeeperError('backup_part_too_large', /1000000 bytes/));
      await assert.rejects(facts, valkeeperError('backup_part_too_large'));
    });
  });

  describe(`reading a part ${name}`, () => {
    it('ends with the error of its source', async () => {
      const { stored, part } = await written(CHUNK, options);
      for (const length of [0, 5, 60, 50_000]) {
        const error = new Error('the disk went away');
        const failing = async function* () {
          yield stored.subarray(0, length);
          throw error;
        };
        await assert.rejects(collect(readPart(failing(), part, options.key)), error);
      }
    });

    it('stops its source when nobody wants the rest', async () => {
      const { stored, part } = await written(Buffer.concat(Array(10).fill(CHUNK)), options);
      let hasStopped = false;
      const source = async function* () {
        try {
          for (let at = 0; at < stored.length; at += 1000) yield stored.subarray(at, at + 1000);
        } finally {
          hasStopped = true;
        }
      };
      for await (const _ of readPart(source(), part, options.key)) break;
      await delay(20);
      assert.ok(hasStopped);
    });
  });
}
