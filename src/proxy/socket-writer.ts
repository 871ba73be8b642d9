/**
 * Writes to a socket at once, past Node's stream, which spends as much on a short write as we on a whole command (ADR 7).
 * What the kernel does not take stays with Node until it does; what is written meanwhile goes through the stream, and so
 * behind it.
 *
 * Node's own streams write this way, through a binding that is not documented; without it everything goes through the
 * stream.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

interface WriteRequest {
  oncomplete: ((status: number) => void) | null;
}

interface WithHandle {
  _handle: { writeBuffer(request: WriteRequest, bytes: Uint8Array): number } | null;
}

interface StreamBinding {
  WriteWrap: new () => WriteRequest;
  streamBaseState: Int32Array;
  kLastWriteWasAsync: number;
}

/** The price of a longer write is the kernel's; several of them go out in one call when the stream is corked. */
const SHORT_BYTES = 16 * 1024;

const binding = findBinding();
/** Used again until a write needs it for longer than the call. */
let request: WriteRequest | null = binding && new binding.WriteWrap();

/** The way to a socket's peer. */
export interface Writer {
  /** Bytes that the kernel has not taken. */
  readonly unread: number;
  /** Whether the bytes that were written may change: nothing of them is still to be read. */
  readonly isFree: boolean;
  write(bytes: Buffer): void;
}

/** `taken` is called when the kernel has taken what it first did not. */
export const writerTo = (socket: Socket, taken: () => void): Writer =>
  socket instanceof TLSSocket ? new TlsWriter(socket, taken) : new SocketWriter(socket, taken);

/**
 * With TLS, everything goes through the stream: its handle encrypts, and ends each write later. So the bytes are copied,
 * rather than that their block waits for the network every time.
 */
class TlsWriter implements Writer {
  readonly isFree = true;
  readonly #socket: Socket;
  readonly #taken: () => void;

  constructor(socket: Socket, taken: () => void) {
    this.#socket = socket;
    this.#taken = () => taken();
  }

  get unread(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): void {
    this.#socket.write(Buffer.from(bytes), this.#taken);
  }
}

class SocketWriter implements Writer {
  readonly #socket: Socket;
  readonly #taken: () => void;
  /** Bytes that the kernel has not taken yet and the stream knows nothing of. */
  #pending = 0;

  constructor(socket: Socket, taken: () => void) {
    this.#socket = socket;
    this.#taken = taken;
  }

  get unread(): number {
    return this.#pending + this.#socket.writableLength;
  }

  get isFree(): boolean {
    return this.unread === 0;
  }

  /** The bytes must not change until it is free. */
  write(bytes: Buffer): void {
    const socket = this.#socket;
    const handle = (socket as unknown as WithHandle)._handle;
    const isPlain = handle !== null && this.unread === 0 && !socket.connecting && !socket.writableEnded;
    if (request === null || !isPlain || socket.writableCorked > 0 || bytes.length > SHORT_BYTES) {
      socket.write(bytes);
      return;
    }
    if (handle.writeBuffer(request, bytes) !== 0)
      socket.destroy(new Error('the connection does not take what is written'));
    else if (binding!.streamBaseState[binding!.kLastWriteWasAsync] !== 0) this.#await(request, bytes.length);
  }

  #await(used: WriteRequest, bytes: number): void {
    this.#pending = bytes;
    used.oncomplete = (status) => {
      this.#pending = 0;
      if (status === 0) this.#taken();
      else this.#socket.destroy();
    };
    request = new binding!.WriteWrap();
  }
}

function findBinding(): StreamBinding | null {
  try {
    const { binding: find } = process as unknown as { binding(name: string): Partial<StreamBinding> };
    const found = find('stream_wrap');
    const isWhole = found.WriteWrap && found.streamBaseState && found.kLastWriteWasAsync !== undefined;
    return isWhole ? (found as StreamBinding) : null;
  } catch {
    return null;
  }
}
