/** Reads a part back, and hands out its last bytes only when all of it is what was written. */
import { constants, createZstdDecompress } from 'node:zlib';
import { ValkeeperError } from '../domain/errors.ts';
import { FrameError, openFrames } from './frames.ts';
import { checkKeyId } from './key.ts';
import { frameKeyOf, headBytes, keyIdIn, MOST_WINDOW_LOG, type Part, problemOfHead } from './part.ts';
import { Tally, transformed } from './streams.ts';

const ZSTD_CHUNK_BYTES = 64 * 1024;

type Bytes = AsyncIterable<Uint8Array>;
/** The error for a part that is damaged in this way. */
type Damaged = (problem: string, cause?: unknown) => ValkeeperError;

/**
 * The raw bytes of a part. It ends without an error only if every byte is as it was; until then what came may be
 * anything where the part is not encrypted.
 * @param part as the manifest has it
 * @param key not looked at when the part is not encrypted
 * @throws backup_damaged, backup_key_missing, backup_key_wrong, and whatever the source throws
 */
export async function* readPart(stored: Bytes, part: Part, key: Buffer | null): AsyncGenerator<Uint8Array> {
  if (part.encrypted && key === null) throw new ValkeeperError('backup_key_missing');
  const damaged: Damaged = (problem, cause) =>
    new ValkeeperError('backup_damaged', { what: `The part ${part.name}`, problem }, { cause });
  const payload = afterHead(asStored(stored, part, damaged), headBytes(part), (head, rest) => {
    const problem = problemOfHead(head, part);
    if (problem !== null) throw damaged(problem);
    if (!part.encrypted || key === null) return rest;
    checkKeyId(key, keyIdIn(head));
    return opened(rest, frameKeyOf(head, key), damaged);
  });
  const raw = part.compression === 'zstd' ? decompressed(payload, damaged) : payload;
  yield* asWritten(raw, part, damaged);
}

/** Passes on what is stored, its end only when it is all that was: what reads it need not ask why something is missing. */
async function* asStored(
  stored: Bytes,
  { storedBytes, storedSha256 }: Part,
  damaged: Damaged,
): AsyncGenerator<Uint8Array> {
  const tally = new Tally();
  for await (const chunk of stored) {
    tally.add(chunk);
    if (tally.bytes > storedBytes) throw damaged(`it is longer than the ${storedBytes} bytes that were stored`);
    if (chunk.length > 0) yield chunk;
  }
  if (tally.bytes < storedBytes) throw damaged(`it is shorter: ${tally.bytes} of ${storedBytes} bytes are left`);
  if (tally.sha256() !== storedSha256) throw damaged('it was changed: its SHA-256 is another');
}

/** Passes on what was written, the last chunk only when nothing is missing. Bounds what damage can make of few bytes. */
async function* asWritten(raw: Bytes, { rawBytes, rawSha256 }: Part, damaged: Damaged): AsyncGenerator<Uint8Array> {
  const tally = new Tally();
  let held: Uint8Array | null = null;
  for await (const chunk of raw) {
    tally.add(chunk);
    if (tally.bytes > rawBytes) throw damaged(`it holds more than the ${rawBytes} bytes that were written`);
    if (held !== null) yield held;
    held = chunk;
  }
  if (tally.bytes < rawBytes) throw damaged(`it holds ${tally.bytes} of the ${rawBytes} bytes that were written`);
  if (tally.sha256() !== rawSha256) throw damaged('it does not hold what was written: the SHA-256 is another');
  if (held !== null) yield held;
}

async function* opened(sealed: Bytes, frameKey: Buffer, damaged: Damaged): AsyncGenerator<Uint8Array> {
  try {
    yield* openFrames(sealed, frameKey);
  } catch (error) {
    throw error instanceof FrameError ? damaged(error.message, error) : error;
  }
}

function decompressed(packed: Bytes, damaged: Damaged): AsyncGenerator<Uint8Array> {
  const decompressor = createZstdDecompress({
    chunkSize: ZSTD_CHUNK_BYTES,
    params: { [constants.ZSTD_d_windowLogMax]: MOST_WINDOW_LOG },
  });
  return transformed(packed, decompressor, (cause) =>
    damaged(`it cannot be decompressed (${(cause as Error).message})`, cause),
  );
}

/** Takes the first `size` bytes, fewer if there are no more, and goes on with what `then` makes of them and the rest. */
async function* afterHead(
  source: Bytes,
  size: number,
  then: (head: Buffer, rest: Bytes) => Bytes,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    let begun = Buffer.alloc(0);
    while (begun.length < size) {
      const { value, done } = await iterator.next();
      if (done) break;
      begun = Buffer.concat([begun, value]);
    }
    yield* then(begun.subarray(0, size), restOf(begun.subarray(size), iterator));
  } finally {
    await iterator.return?.();
  }
}

async function* restOf(first: Buffer, iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  for (;;) {
    const { value, done } = await iterator.next();
    if (done) return;
    yield value;
  }
}
