/**
 * Makes a part of what a node streams: raw bytes -> zstd -> encryption, each if wanted, behind a header; see
 * docs/backup-format.md. Nothing is kept but what is on its way: a source is read no faster than the part is taken.
 */
import { constants, createZstdCompress } from 'node:zlib';
import { ValkeeperError } from '../domain/errors.ts';
import { sealFrames } from './frames.ts';
import { type Compression, createHead, type PartFacts } from './part.ts';
import { Tally, transformed } from './streams.ts';

/** Fast before small: a node that sends its RDB keeps what was written meanwhile in memory. */
const ZSTD_LEVEL = 1;
const ZSTD_CHUNK_BYTES = 64 * 1024;

export interface PartOptions {
  compression: Compression;
  /** It is encrypted when there is one. */
  key: Buffer | null;
  /** A source that has more ends with an error; without it, none does. */
  mostRawBytes?: number | undefined;
}

export interface PartInWriting {
  /** The bytes to store; to be read once. */
  content: AsyncIterable<Uint8Array>;
  /**
   * Known once `content` has been read to its end; rejected with the error that it ended with, or when it is given up.
   * Nobody has to look at it: a rejection is never an unhandled one.
   */
  facts: Promise<PartFacts>;
}

/**
 * Begins a part; nothing is read of `raw` before `content` is.
 * @param raw its chunks must stay as they are once they are given out
 * @throws backup_part_too_large from `content`, and whatever the source throws
 */
export function writePart(raw: AsyncIterable<Uint8Array>, options: PartOptions): PartInWriting {
  const { promise: facts, resolve, reject } = Promise.withResolvers<PartFacts>();
  facts.catch(() => {});
  return { content: write(raw, options, { resolve, reject }), facts };
}

async function* write(
  raw: AsyncIterable<Uint8Array>,
  { compression, key, mostRawBytes = Number.POSITIVE_INFINITY }: PartOptions,
  facts: { resolve: (facts: PartFacts) => void; reject: (error: unknown) => void },
): AsyncGenerator<Uint8Array> {
  const before = new Tally();
  const after = new Tally();
  try {
    const { bytes: head, frameKey } = createHead(compression, key);
    const measured = counted(raw, before, mostRawBytes);
    const packed = compression === 'zstd' ? transformed(measured, compressor(), (cause) => cause) : measured;
    const sealed = frameKey === null ? packed : sealFrames(packed, frameKey);
    after.add(head);
    yield head;
    for await (const chunk of sealed) {
      after.add(chunk);
      yield chunk;
    }
    facts.resolve({
      rawBytes: before.bytes,
      rawSha256: before.sha256(),
      storedBytes: after.bytes,
      storedSha256: after.sha256(),
      compression,
      encrypted: key !== null,
    });
  } catch (error) {
    facts.reject(error);
    throw error;
  } finally {
    // Of no effect unless the reader has left.
    facts.reject(new ValkeeperError('backup_part_unfinished'));
  }
}

const compressor = () =>
  createZstdCompress({
    chunkSize: ZSTD_CHUNK_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });

async function* counted(source: AsyncIterable<Uint8Array>, tally: Tally, most: number): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    tally.add(chunk);
    if (tally.bytes > most) throw new ValkeeperError('backup_part_too_large', { limit: most });
    if (chunk.length > 0) yield chunk;
  }
}
