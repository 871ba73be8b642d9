/** Streams of bytes that can be given up. */

/**
 * The content, until the signal aborts: then the iteration throws its reason at once, even if the content never comes
 * to an end. The content is asked to end then, but not waited for.
 */
export async function* untilAborted(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted();
  const iterator = content[Symbol.asyncIterator]();
  let giveUp: (reason: unknown) => void = () => {};
  const onAbort = (): void => giveUp(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  let ended = false;
  try {
    for (;;) {
      // A promise a chunk: racing with one for the whole stream would keep a reaction for every chunk.
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
      });
      signal.throwIfAborted();
      ended = next.done === true;
      if (next.done) return;
      yield next.value;
      signal.throwIfAborted();
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // A generator in the middle of a wait would answer only after it.
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** Cuts content into parts: number n (from 1) has `bytesOf(n)` bytes, but the last has what is left; it is empty only if all is. */
export async function* toParts(
  content: AsyncIterable<Uint8Array>,
  bytesOf: (number: number) => number,
): AsyncGenerator<Buffer> {
  let number = 1;
  let part = Buffer.allocUnsafeSlow(bytesOf(number));
  let filled = 0;
  for await (const chunk of content) {
    for (let from = 0; from < chunk.length; ) {
      if (filled === part.length) {
        yield part;
        number += 1;
        part = Buffer.allocUnsafeSlow(bytesOf(number));
        filled = 0;
      }
      const taken = Math.min(part.length - filled, chunk.length - from);
      part.set(chunk.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
    }
  }
  yield part.subarray(0, filled);
}
