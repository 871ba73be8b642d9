/** What writer and reader of a part do alike with streams of bytes. */
import { createHash } from 'node:crypto';
import { pipeline, type Transform } from 'node:stream';

/** Size and SHA-256 of what went by. */
export class Tally {
  readonly #hash = createHash('sha256');
  bytes = 0;

  add(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
  }

  /** In hexadecimal digits. Asked once, at the end. */
  sha256(): string {
    return this.#hash.digest('hex');
  }
}

/**
 * What a transform makes of the source, no faster than it is read. An error of the source is thrown as it is.
 * @param wrap what to throw for an error of the transform itself
 */
export async function* transformed(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
  wrap: (cause: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  let failure: { error: unknown } | null = null;
  const watched = async function* () {
    try {
      yield* source;
    } catch (error) {
      failure = { error };
      throw error;
    }
  };
  // Whatever it ends with, the transform ends with as well.
  pipeline(watched(), transform, () => {});
  try {
    yield* transform;
  } catch (error) {
    throw failure === null ? wrap(error) : (failure as { error: unknown }).error;
  }
}
