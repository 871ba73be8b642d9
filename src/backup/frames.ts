/**
 * Encryption in frames, the construction STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption
 * and its Nonce-Reuse Misuse-Resistance") as age has it. Every frame but the last is of the same size, so frames need no
 * header; the nonce counts them and marks the last. So a frame that was changed, moved, repeated or left out, and an end
 * that was cut or added, do not open.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';

/** Of what is encrypted, in each frame but the last. */
export const FRAME_BYTES = 64 * 1024;
export const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const CIPHER = 'aes-256-gcm';

/** Raised for a frame that is not what was written in its place. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Encrypts. @param key for this stream alone: the nonces are the same in each */
export async function* sealFrames(plain: AsyncIterable<Uint8Array>, key: Buffer): AsyncGenerator<Buffer> {
  let index = 0;
  for await (const { bytes, isLast } of inFrames(plain, FRAME_BYTES)) {
    const cipher = createCipheriv(CIPHER, key, nonceOf(index, isLast), { authTagLength: TAG_BYTES });
    yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    index += 1;
  }
}

/** Decrypts; what it yields was written so. @throws FrameError */
export async function* openFrames(sealed: AsyncIterable<Uint8Array>, key: Buffer): AsyncGenerator<Buffer> {
  let index = 0;
  for await (const { bytes, isLast } of inFrames(sealed, FRAME_BYTES + TAG_BYTES)) {
    yield openFrame(bytes, key, index, isLast);
    index += 1;
  }
}

function openFrame(bytes: Buffer, key: Buffer, index: number, isLast: boolean): Buffer {
  const length = bytes.length - TAG_BYTES;
  // One way to write a stream: only an empty one has an empty frame.
  if (length < 0 || (length === 0 && index > 0)) throw new FrameError(`its frame ${index + 1} is cut off`);
  const decipher = createDecipheriv(CIPHER, key, nonceOf(index, isLast), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(length));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(0, length)), decipher.final()]);
  } catch {
    throw new FrameError(`its frame ${index + 1} is not what was written there`);
  }
}

/** Eleven bytes of the frame's number, from 0 on, and one that is 1 for the last. */
function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUIntBE(index, NONCE_BYTES - 1 - 6, 6);
  nonce[NONCE_BYTES - 1] = isLast ? 1 : 0;
  return nonce;
}

interface Frame {
  /** Overwritten by the next frame. */
  bytes: Buffer;
  isLast: boolean;
}

/** The same bytes in frames of one size; the last is shorter or as long, and empty only if all is. */
async function* inFrames(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Frame> {
  const frame = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (filled === size) {
        yield { bytes: frame, isLast: false };
        filled = 0;
      }
      const taken = Math.min(size - filled, chunk.length - at);
      frame.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
    }
  }
  yield { bytes: frame.subarray(0, filled), isLast: true };
}
